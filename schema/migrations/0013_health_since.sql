-- Since when a medium's health is what it is: how urgent it is to get off it.
ALTER TABLE medium ADD COLUMN health_since timestamptz;
