"""What the scripts share and no slide is about: data, pictures, run folders, the command line."""
