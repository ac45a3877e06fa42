"""The routes under `/<project>/review`."""

from __future__ import annotations

from django.urls import URLPattern, path

from tracehub.web import coding, disagreements, judge, queues, recheck

urlpatterns: list[URLPattern] = [
    path("modes/<slug:mode_slug>/recheck", recheck.page, name="review_recheck"),
    path(
        "modes/<slug:mode_slug>/recheck/undo/<int:recoding_id>",
        recheck.undo,
        name="review_recheck_undo",
    ),
    path("modes/<slug:mode_slug>/judge", judge.page, name="review_judge"),
    path("modes/<slug:mode_slug>/judge/rubric", judge.rubric, name="review_judge_rubric"),
    path("modes/<slug:mode_slug>/judge/run", judge.run, name="review_judge_run"),
    path("modes/<slug:mode_slug>/judge/stop/<int:run_id>", judge.stop, name="review_judge_stop"),
    path("<slug:queue_slug>", queues.queue_page, name="review_queue"),
    path("<slug:queue_slug>/rules", queues.rules, name="review_rules"),
    path("<slug:queue_slug>/next", queues.next_trace, name="review_next"),
    path("<slug:queue_slug>/change", queues.change, name="review_change"),
    path("<slug:queue_slug>/labels.csv", queues.labels, name="review_labels"),
    path("<slug:queue_slug>/skip/<str:trace_id>", queues.skip, name="review_skip"),
    path("<slug:queue_slug>/unskip/<int:seat_id>", queues.unskip, name="review_unskip"),
    path("<slug:queue_slug>/disagreements", disagreements.page, name="review_disagreements"),
    path(
        "<slug:queue_slug>/disagreements/<int:item_id>", disagreements.decide, name="review_decide"
    ),
    path("<slug:queue_slug>/coding", coding.board, name="review_coding"),
    path("<slug:queue_slug>/coding/change", coding.change, name="review_coding_change"),
    path(
        "<slug:queue_slug>/coding/undo/<int:recoding_id>", coding.undo, name="review_recoding_undo"
    ),
    path(
        "<slug:queue_slug>/coding/rename/<slug:mode_slug>", coding.rename, name="review_mode_rename"
    ),
]
