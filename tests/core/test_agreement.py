"""Agreement against published and independently computed values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core import agreement, saturation, similar

# Three reviewers, ten items; the values are those of scikit-learn, krippendorff and irrCAC.
M = [
    [1, 1, None, 0, 1, 1, 0, 1, 1, 1],
    [1, 1, 1, 0, 1, 0, 0, 1, None, 1],
    [1, 1, 1, 1, 1, 1, 0, 1, 1, 1],
]
A, B = [1, 1, 1, 0, 1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 1, 0, 0, 1, 1, 1]
# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: nominal 0.743.
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def test_alpha_matches_the_published_example():
    assert agreement.krippendorff_alpha(PUBLISHED) == pytest.approx(0.743, abs=0.0005)


def test_ordinal_alpha_matches_the_published_example():
    """The same ratings as ranks: 0.815, section C of the same paper."""
    assert agreement.ordinal_alpha(PUBLISHED) == pytest.approx(0.815, abs=0.0005)
    assert agreement.ordinal_alpha([[1, 4], [1, 4]]) == 1
    near, far = [[1, 2, 4, 3], [1, 3, 4, 3]], [[1, 1, 4, 3], [1, 4, 4, 3]]
    assert agreement.ordinal_alpha(near) > agreement.ordinal_alpha(far)
    assert agreement.ordinal_alpha([[2, None], [2, 3]]) is None


def test_coefficients_match_the_libraries():
    assert agreement.krippendorff_alpha(M) == pytest.approx(0.590909, abs=1e-6)
    assert agreement.gwet_ac1(M) == pytest.approx(0.803922, abs=1e-6)
    assert agreement.cohen_kappa(A, B) == pytest.approx(0.736842, abs=1e-6)
    assert agreement.krippendorff_alpha([A, B]) == pytest.approx(0.746667, abs=1e-6)
    assert agreement.percent_agreement([A, B]) == pytest.approx(0.9)


def test_where_nothing_can_be_said_nothing_is():
    for rows in ([[], []], [[1, None], [None, 1]], [[1, 1], [1, 1]]):
        assert agreement.krippendorff_alpha(rows) is None
        assert agreement.gwet_ac1(rows) is None
        assert agreement.cohen_kappa(*rows) is None
    assert agreement.percent_agreement([[1, None], [None, 1]]) is None
    assert agreement.bootstrap(agreement.krippendorff_alpha, [[1, 1], [1, 1]]) is None


def test_the_interval_holds_the_value_and_repeats():
    low, high = agreement.bootstrap(agreement.gwet_ac1, M)
    assert low < 0.803922 < high == 1.0
    assert agreement.bootstrap(agreement.gwet_ac1, M) == (low, high)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_no_coefficient_exceeds_one(pairs):
    rows = list(zip(*pairs, strict=True))
    for measure in (agreement.krippendorff_alpha, agreement.gwet_ac1):
        value = measure(rows)
        assert value is None or -1 <= value <= 1


def test_rogan_gladen_matches_its_example_and_refuses_a_coin():
    assert agreement.true_rate(0.30, 0.85, 0.90) == pytest.approx(0.2667, abs=5e-5)
    assert agreement.true_rate(0.0, 0.85, 0.90) == 0.0
    low, high = agreement.true_rate_interval((300, 1000), (85, 100), (90, 100))
    assert low < 0.2667 < high
    assert 0.15 < high - low < 0.25
    with pytest.raises(ValueError, match="tells too little"):
        agreement.true_rate(0.3, 0.55, 0.55)


def test_saturation_counts_modes_seen_once():
    read = [["a"], ["b"], *([["a"]] * 30)]
    found = saturation.saturation(read)
    assert (found.last_new, found.recent_new, found.unseen) == (2, 0, 1 / 32)
    assert found.saturated
    assert found.interval[0] < found.unseen < found.interval[1]
    assert saturation.saturation([]).unseen is None
    assert not saturation.saturation([["a"], ["b"]]).saturated


def test_notes_that_share_their_telling_words_go_together():
    notes = [
        "Amount written with the currency, as text",
        "Asked the fare tool five times with the same booking",
        "Currency inside the amount again",
        "Says the voucher can be turned into cash",
    ]
    (cluster,) = similar.clusters(notes)
    assert cluster.members == [0, 2]
    assert cluster.words == ["amount", "currency"]
    assert similar.nearest("The amount has a currency", [[notes[3]], [notes[0], notes[2]]]) == 1
    assert similar.nearest("zebra", [[notes[3]]]) is None
    assert similar.nearest("zebra", []) is None
