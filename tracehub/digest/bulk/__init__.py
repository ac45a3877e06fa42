"""Jobs on all traces that a filter finds: marking, queues, promotion, export; and their undo."""
