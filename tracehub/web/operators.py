"""`/admin/`: what belongs to no project's pages, in Django's admin, for operators to look at.

Nothing changes here. People, projects and keys change by commands and settings pages, which hold
the rules and write the audit log.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar, cast

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver

from tracehub.projects.models import ApiKey, AuditEntry, Membership, Project, User
from tracehub.web import permissions

if TYPE_CHECKING:
    Table = admin.ModelAdmin[Any]
else:
    Table = admin.ModelAdmin

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
# Sign-in, sign-out and passwords are accounts' own; of the rest only what the templates name.
PAGES = {"index", "app_list", "jsi18n"}


class Operators(admin.AdminSite):
    """The admin for superusers, who sign in like everybody else."""

    site_header = site_title = "TraceHub"
    index_title = "Installation"
    enable_nav_sidebar = False
    final_catch_all_view = False

    def has_permission(self, request: HttpRequest) -> bool:
        return permissions.is_operator(request)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            permissions.check_operator(request)
            return inner(request, *args, **kwargs)

        # Django's scripts are files of ours that carry no nonce.
        return cast(View, update_wrapper(csp_update({"script-src": [SELF]})(guarded), view))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        urls: list[URLPattern | URLResolver] = super().get_urls()
        return [url for url in urls if isinstance(url, URLResolver) or url.name in PAGES]


class Looking(Table):
    """A table to look at: `fields` of a row, and nothing to change."""

    show_full_result_count = False
    list_per_page = 50

    def get_urls(self) -> list[URLPattern]:
        return [url for url in super().get_urls() if str(url.name).endswith(("list", "change"))]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Users(Looking):
    fields = ("email", "name", "is_active", "is_superuser", "date_joined", "last_seen_at")
    list_display = fields
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)


class Projects(Looking):
    fields = ("slug", "name", "created_at", "default_branch", "retention_days", "hides_content")
    list_display = fields
    search_fields = ("slug", "name")
    ordering = ("slug",)


class Memberships(Looking):
    fields = ("project", "user", "role", "created_at")
    list_display = fields
    list_filter = ("role",)
    search_fields = ("project__slug", "user__email")
    list_select_related = ("project", "user")
    ordering = ("project__slug", "user__email")


class Keys(Looking):
    fields = (
        "prefix", "name", "project", "scope", "created_by", "created_at", "expires_at",
        "last_used_at", "revoked_at",
    )  # fmt: skip
    list_display = ("prefix", "name", "project", "scope", "last_used_at", "revoked_at")
    list_filter = ("scope",)
    search_fields = ("prefix", "name", "project__slug")
    list_select_related = ("project",)
    ordering = ("-created_at",)


class Audit(Looking):
    fields = ("at", "actor", "address", "action", "object", "project", "detail")
    list_display = fields[:-1]
    search_fields = ("actor", "action", "object")
    list_select_related = ("project",)
    ordering = ("-pk",)


site = Operators(name="admin")
for model, page in (
    (User, Users), (Project, Projects), (Membership, Memberships), (ApiKey, Keys),
    (AuditEntry, Audit),
):  # fmt: skip
    site.register(model, page)
