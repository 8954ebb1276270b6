"""Questions that a window asks about files and this machine; answered in the analyst's process."""
