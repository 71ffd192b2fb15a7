"""Tables, one noun a file; sessions; migrations."""
