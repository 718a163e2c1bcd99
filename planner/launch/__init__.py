"""Files that start a plan under a framework or a scheduler, and runs read back from such files."""
