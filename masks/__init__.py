"""Which pixels count: pixel maps, masks, and the errors and notices that everything else shares."""
