"""Everything Qt. Imports no torch: networks run behind `stainapp.models`."""
