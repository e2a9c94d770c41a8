"""What the rig needs and makes once: packages, kernel, initrd, guest roots, Python environments."""
