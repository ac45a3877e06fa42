"""The models of budgets; `budgets` has what is done with them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project


class Axis(models.TextChoices):
    PROJECT = "", "Whole project"
    MODEL = "model", "One model"
    PROMPT = "prompt", "One prompt version"


class Budget(models.Model):
    """What a calendar month (UTC) may cost, in US dollars: of a project, a model or a prompt."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="budgets")
    axis = models.CharField(max_length=10, choices=Axis.choices, blank=True)
    value = models.CharField(max_length=200, blank=True)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "budgets"
        ordering = ("axis", "value")
        constraints = (
            models.UniqueConstraint(fields=["project", "axis", "value"], name="one_budget_each"),
        )

    def __str__(self) -> str:
        return self.value or "the whole project"


class Passed(models.TextChoices):
    FORECAST = "forecast", "will be passed"
    SPENT = "spent", "is passed"


class Breach(models.Model):
    """A month in which a budget is passed, or will be by the forecast: told once each."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="breaches")
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="breaches")
    month = models.DateField()
    kind = models.CharField(max_length=10, choices=Passed.choices)
    at = models.DateTimeField(default=timezone.now)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    spent = models.DecimalField(max_digits=14, decimal_places=2)
    forecast = models.DecimalField(max_digits=14, decimal_places=2)

    class Meta:
        db_table = "budget_breaches"
        ordering = ("-at",)
        constraints = (
            models.UniqueConstraint(
                fields=["project", "budget", "month", "kind"], name="breach_told_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.budget} {self.get_kind_display()} in {self.month:%B %Y}"
