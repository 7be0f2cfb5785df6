"""What the array standard cannot express, or not fast: one file per kernel, native per library."""
