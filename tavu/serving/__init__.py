"""A model served to people, as a page, and to programs, as the API they already speak; nothing leaves the machine."""
