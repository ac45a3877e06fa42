"""What people type, checked: one small form per POST."""
