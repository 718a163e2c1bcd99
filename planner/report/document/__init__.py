"""From an answer to its document; everything else in the room reads documents."""
