"""What the trace page shows, made from spans alone: no database, no request, no clock."""
