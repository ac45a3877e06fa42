"""What goes wrong in the demo, how often, and what its reviewers say about it."""

from __future__ import annotations

from dataclasses import dataclass, field

SUPPORT = "airline-support"
SUMMARY = "ticket-summary"


@dataclass(frozen=True, slots=True)
class Mode:
    """A failure mode of the demo project's taxonomy. `first` is a rule it had before, if any."""

    slug: str
    name: str
    definition: str
    bad: str
    good: str
    first: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One way to fail. `chance` and `canary` are fractions of the traces that it can happen to.

    `topics` and `versions`, when given, are the only ones; `refund` and `foreign` ask for a refund
    to be due and for a language other than English. `quiet` troubles are no failure for a reviewer.
    """

    key: str
    app: str
    chance: float
    canary: float
    topics: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    refund: bool | None = None
    foreign: bool = False
    modes: tuple[str, ...] = ()
    severity: str = ""
    notes: tuple[str, ...] = ()
    thumbs_down: float = 0.0
    comments: tuple[str, ...] = field(default=("",))

    @property
    def quiet(self) -> bool:
        return not self.modes


MODES: tuple[Mode, ...] = (
    Mode("wrong-amount", "Wrong amount",
         "The sum or its currency differs from what the fare rules and the booking give.",
         "2 tickets, refunds 209.30", "2 tickets, refunds 418.60"),
    Mode("wrong-scope", "Wrong scope",
         "More or fewer passengers, legs or extras were changed than the customer asked for.",
         "Refunds all four, two were named", "Refunds the two named, asks nothing"),
    Mode("invented-policy", "Invented policy",
         "The reply states a rule that none of the retrieved documents holds.",
         "Free to cancel within 2 hours", "Free until departure, policy-118"),
    Mode("missed-fare-rule", "Missed fare rule",
         "A fare rule that was retrieved, and that applies, was not applied.",
         "Light fare, refunds the whole fare", "Light fare, refunds the taxes"),
    Mode("format", "Format",
         "The output breaks its contract: wrong type, missing field, unknown label.",
         '"amount": "418.60 EUR"', '"amount": 418.60', first="The output is not valid JSON."),
    Mode("wrong-tone", "Wrong tone",
         "Cold, hurried or lecturing where the customer needs care.",
         "Upload the certificate within 24 h", "I am sorry for your loss. Take your time"),
    Mode("wrong-language", "Wrong language",
         "The answer is not in the customer's language, or a summary is not in English.",
         "Swedish in, English out", "Swedish in, Swedish out"),
    Mode("skipped-id-check", "Skipped ID check",
         "Money or personal data was handed out without checking who asks.",
         "Pays to another card, no check", "Asks for name and booking code first"),
    Mode("tool-loop", "Tool loop",
         "The agent repeats a call that cannot give another answer.",
         "find_charge four times, same arguments", "Asks for the booking code"),
    Mode("omits-request", "Omits request",
         "A summary leaves out what the customer still asks for.",
         "Case closed, the refund is open", "Refund still open, customer waits"),
    Mode("timeout-handling", "Timeout handling",
         "The agent gives up without telling the customer, or a person, what happens next.",
         "30 s, then nothing", "Tells the customer that a person takes over"),
)  # fmt: skip

TROUBLES: tuple[Trouble, ...] = (
    Trouble("amount", SUPPORT, 0.0, 0.40, refund=True,
            modes=("wrong-amount", "format"), severity="high", thumbs_down=0.06,
            notes=("Amount is text, the booking total was a number. Likely the v12 wording.",
                   "A string again where payments needs a number.",
                   "The refund was not paid out: payments cannot read the amount."),
            comments=("wrong amount", "the money never came")),
    Trouble("currency", SUPPORT, 0.06, 0.0, refund=True, versions=("v10",)),
    Trouble("scope", SUPPORT, 0.06, 0.25, topics=("split", "bag"),
            modes=("wrong-scope",), severity="high", thumbs_down=0.5,
            notes=("Refunded all four, two were asked for.",
                   "Everything on the booking was refunded, the bag too."),
            comments=("You refunded all of us!", "I only wanted two tickets back")),
    Trouble("tone", SUPPORT, 0.4, 0.5, topics=("bereavement",),
            modes=("wrong-tone",), severity="medium", thumbs_down=0.6,
            notes=("Asks for a death certificate within 24 h, policy says 30 days.",
                   "No word of sympathy beyond the first sentence."),
            comments=("heartless", "24 hours? Really?", "")),
    Trouble("loop", SUPPORT, 0.25, 0.3, topics=("invoice",),
            modes=("tool-loop",), severity="medium", thumbs_down=0.2,
            notes=("Searched for the same fee four times.",
                   "Should have asked for the booking code."),
            comments=("still no invoice",)),
    Trouble("language", SUPPORT, 0.06, 0.10, foreign=True,
            modes=("wrong-language",), severity="medium", thumbs_down=0.15,
            notes=("Customer writes Swedish, answer is English.", "Reply in English."),
            comments=("på svenska tack", "")),
    Trouble("invented", SUPPORT, 0.025, 0.09, refund=False,
            modes=("invented-policy",), severity="high", thumbs_down=0.12,
            notes=("Cites policy-118, which was retrieved but says something else.",
                   "Nothing in the context gives 2 hours for this fare."),
            comments=("That is not what your site says",)),
    Trouble("rule", SUPPORT, 0.01, 0.02, refund=True,
            modes=("missed-fare-rule",), severity="medium", thumbs_down=0.1,
            notes=("Light fare: only the taxes were due.",), comments=("too little",)),
    Trouble("identity", SUPPORT, 0.006, 0.01, refund=True,
            modes=("skipped-id-check",), severity="critical",
            notes=("Paid to another card than the one that booked, nobody was asked.",)),
    Trouble("timeout", SUPPORT, 0.008, 0.01,
            modes=("timeout-handling",), severity="medium", thumbs_down=0.2,
            notes=("30 s and then nothing.",), comments=("no answer", "")),
    Trouble("rules_down", SUPPORT, 0.008, 0.02, refund=True,
            modes=("timeout-handling",), severity="medium", thumbs_down=0.15,
            notes=("Fare rules were down; handed over without a word to the customer.",)),
    Trouble("rules_503", SUPPORT, 0.03, 0.05, refund=True),
    Trouble("fallback", SUPPORT, 0.012, 0.024),
    Trouble("no_documents", SUPPORT, 0.006, 0.006, refund=False),
    Trouble("card_number", SUPPORT, 0.005, 0.005),
    Trouble("omits", SUMMARY, 0.07, 0.02,
            modes=("omits-request",), severity="medium", thumbs_down=0.5,
            notes=("The open request is missing.", "Closed? The customer still waits for money."),
            comments=("summary misses the point", "")),
    Trouble("summary_language", SUMMARY, 0.012, 0.012,
            modes=("wrong-language",), severity="low", thumbs_down=0.2,
            notes=("Summary is in Swedish.", "Agents of the night shift read English."),
            comments=("I do not read Swedish",)),
    Trouble("truncated", SUMMARY, 0.004, 0.02,
            modes=("format",), severity="low", notes=("Stops in the middle of a sentence.",)),
    Trouble("summary_timeout", SUMMARY, 0.004, 0.006),
)  # fmt: skip

BY_KEY = {trouble.key: trouble for trouble in TROUBLES}
GOOD_NOTES = (
    "", "", "", "Right sum, right card, right tone.", "Short and correct.",
    "Cites the right paragraph.", "Good example for the success cases.",
)  # fmt: skip
UNSURE_NOTES = (
    "Is a voucher allowed here? Ask the policy team.",
    "Cannot tell without the fare rules.",
    "Polite, but is 7 days still right?",
    "The customer may mean the other booking.",
    "Depends on whether the bag was checked in.",
)
# What people write before the mode has a name, by the key of the trouble.
FIRST_NOTES: dict[str, tuple[str, ...]] = {
    "tone": (
        "Asks for a certificate within 24 h, not a word of sympathy.",
        "Hurried answer to somebody whose father died.",
        "Cold: begins with the form to fill in, no sympathy.",
        "24 h for the certificate, policy says 30 days.",
    ),
    "language": (
        "Customer does not write English, the answer is English.",
        "Answer is English again.",
        "Answered in English, the question was not.",
    ),
    "invented": (
        "States a 2 hour rule that no document holds.",
        "Cites policy-118, which says something else.",
        "The rule it names is in no retrieved document.",
    ),
    "scope": (
        "Refunds all four, two were named.",
        "Cancels the bag too, nobody asked for that.",
        "Everything on the booking is refunded, one leg was asked for.",
    ),
    "loop": (
        "Searches for the same charge four times.",
        "Same call again and again, the answer cannot change.",
    ),
    "identity": ("Pays to another card, nobody was asked who they are.",),
}
CURT = (  # of answers that others find good
    "Curt, the customer is worried.",
    "Right, but reads like a form.",
    "No word of apology.",
)
