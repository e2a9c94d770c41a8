"""Our interface in Reticulum's configuration: where it goes, how it gets in and out again, and whether it loads."""
