package crowdsweep

// Codes of what the crowds of a sweep come to. A finding about crowds with one think time has it as
// its subject; one about all of them has none.
const (
	NoCrowd        = "no-crowd"      // was predicted
	ServesBest     = "serves-best"   // up to how many clients what serves best
	OneTimeout     = "one-timeout"   // serves best in most crowds, of those that keep
	WorstOf        = "worst-choice"  // what the least fit choice costs, where it costs most
	HeldBy         = "held-by"       // from how many clients on all connections that there are would be held
	Saturated      = "saturated"     // from how many clients on pages take long whatever is chosen
	TuneAgrees     = "tune-agrees"   // in how many crowds the rule of tune chooses as well
	NoneServes     = "none-serves"   // crowds in which pages fail or do not end whatever is chosen
	BeyondBudget   = "beyond-budget" // crowds in which every choice holds more than is allowed
	StoppedAtCrowd = "stopped-at"    // the sweep, before its last crowd
)
