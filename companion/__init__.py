"""The companion of the book on image-to-image translation: one small module per idea."""
