package difference

// Codes of what has changed from one result to another.
const (
	TimeChanged = "time-changed"
	TimeLate    = "time-late"    // but a busy machine could explain it
	TimeSteady  = "time-steady"  // by no more than noise allows for
	TimeUntold  = "time-untold"  // too few trials to tell by
	TimeMissing = "time-missing" // one of the two has none
	RowGone     = "gone"
	RowNew      = "new"
	// FailedChanged tells how many trials of a strategy failed, before and after.
	FailedChanged = "failed-changed"
)

// Codes of caveats about a difference of two results.
const (
	OtherEngine   = "engine"   // measured, predicted or observed in another way
	OtherScenario = "scenario" // another workload, network or seed
	OtherTrials   = "trials"   // another number of trials
)

// Causes of caveats about a difference.
const (
	// Of two results, too few to show a change.
	CauseFewOfBoth = "few-of-both"
	CauseOther     = "other"
	// OtherScenario.
	CauseWorkload = "workload"
	CauseContent  = "content" // of the workload of that name
	CauseNetwork  = "network"
	CauseSeed     = "seed"
)
