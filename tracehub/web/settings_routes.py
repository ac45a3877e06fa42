"""Routes below `<project>/settings/`: what its forms post to."""

from __future__ import annotations

from django.urls import path

from tracehub.web import (
    budgets,
    prices,
    settings_alerts,
    settings_audit,
    settings_erasure,
    settings_keys,
    settings_masking,
    settings_modes,
    settings_pages,
    settings_people,
    settings_sampling,
    settings_signals,
    settings_weekly,
)

urlpatterns = [
    path("prices", prices.page, name="settings_prices"),
    path("prices/new", prices.create, name="settings_price_new"),
    path("prices/<int:price_id>/remove", prices.remove, name="settings_price_remove"),
    path("budgets", budgets.page, name="settings_budgets"),
    path("budgets/new", budgets.create, name="settings_budget_new"),
    path("budgets/<int:budget_id>/remove", budgets.remove, name="settings_budget_remove"),
    path("general", settings_pages.general, name="settings_general"),
    path("hide-content", settings_pages.hide_content, name="settings_hide_content"),
    path("profile", settings_pages.profile, name="settings_profile"),
    path("alerts", settings_alerts.page, name="settings_alerts"),
    path("alerts/new", settings_alerts.create, name="settings_alert_new"),
    path("alerts/<int:alert_id>", settings_alerts.act, name="settings_alert"),
    path("owners/new", settings_alerts.add_owner, name="settings_owner_new"),
    path(
        "owners/<int:owner_rule_id>/remove",
        settings_alerts.remove_owner,
        name="settings_owner_remove",
    ),
    path("tracker", settings_alerts.tracker, name="settings_tracker"),
    path("destinations/new", settings_alerts.add_destination, name="settings_destination_new"),
    path(
        "destinations/<int:destination_id>",
        settings_alerts.destination,
        name="settings_destination",
    ),
    path(
        "destinations/<int:destination_id>/change",
        settings_alerts.change_destination,
        name="settings_destination_change",
    ),
    path(
        "deliveries/<int:delivery_id>/replay",
        settings_alerts.replay,
        name="settings_delivery_replay",
    ),
    path("weekly", settings_weekly.page, name="settings_weekly"),
    path("audit", settings_audit.page, name="settings_audit"),
    path("audit.jsonl", settings_audit.export_lines, name="settings_audit_lines"),
    path("audit.csv", settings_audit.export, name="settings_audit_file"),
    path("erasure", settings_erasure.page, name="settings_erasure"),
    path(
        "erasure/<int:erasure_id>.json", settings_erasure.receipt, name="settings_erasure_receipt"
    ),
    path("signals", settings_signals.page, name="settings_signals"),
    path("signals/again", settings_signals.look_again, name="settings_signals_again"),
    path("signals/kind", settings_signals.kind, name="settings_signal"),
    path("signals/scores/new", settings_signals.score, name="settings_score_new"),
    path(
        "signals/scores/<int:score_id>/remove",
        settings_signals.score_remove,
        name="settings_score_remove",
    ),
    path("signals/own/new", settings_signals.own, name="settings_own_new"),
    path("signals/own/<int:own_id>/turn", settings_signals.own_turn, name="settings_own_turn"),
    path(
        "signals/own/<int:own_id>/remove", settings_signals.own_remove, name="settings_own_remove"
    ),
    path("members/invite", settings_people.invite, name="settings_invite"),
    path(
        "invitations/<int:invitation_id>/withdraw",
        settings_people.withdraw,
        name="settings_invitation_withdraw",
    ),
    path("members/<int:user_id>/role", settings_people.set_role, name="settings_member_role"),
    path("members/<int:user_id>/remove", settings_people.remove, name="settings_member_remove"),
    path(
        "members/<int:user_id>/restore/<str:role>",
        settings_people.restore,
        name="settings_member_restore",
    ),
    path("keys/new", settings_keys.create, name="settings_key_new"),
    path("keys/<int:key_id>/revoke", settings_keys.revoke, name="settings_key_revoke"),
    path("keys/<int:key_id>/restore", settings_keys.restore, name="settings_key_restore"),
    path("masking/new", settings_masking.create, name="settings_mask_new"),
    path("masking/stored", settings_masking.stored, name="settings_mask_stored"),
    path("masking/<int:rule_id>/turn", settings_masking.turn, name="settings_mask_turn"),
    path("masking/<int:rule_id>/remove", settings_masking.remove, name="settings_mask_remove"),
    path("sampling", settings_sampling.save, name="settings_sampling"),
    path("modes/new", settings_modes.create, name="settings_mode_new"),
    path("modes/<slug:mode_slug>/edit", settings_modes.edit, name="settings_mode_edit"),
    path("modes/<slug:mode_slug>/move", settings_modes.move, name="settings_mode_move"),
    path("modes/<slug:mode_slug>/archive", settings_modes.archive, name="settings_mode_archive"),
    path("modes/<slug:mode_slug>/restore", settings_modes.restore, name="settings_mode_restore"),
]
