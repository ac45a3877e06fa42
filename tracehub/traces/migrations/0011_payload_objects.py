"""Spans whose payload waits to be moved out of the database, and the objects that hold payloads."""

from django.db import migrations

MAKE = """
CREATE TABLE payload_objects (
    project_id bigint NOT NULL,
    day date NOT NULL,
    trace_id uuid NOT NULL,
    span_id bigint NOT NULL,
    key text NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, day, trace_id, span_id, key)
);
CREATE INDEX payload_objects_due ON payload_objects (due_at);
CREATE INDEX payload_objects_trace ON payload_objects (project_id, trace_id);
CREATE INDEX payload_objects_day ON payload_objects (day);
"""


class Migration(migrations.Migration):
    dependencies = [("traces", "0010_erased_hours")]
    operations = [migrations.RunSQL(MAKE, "DROP TABLE payload_objects")]
