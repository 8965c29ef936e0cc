package across

// Codes of what comparisons on several networks come to.
const (
	KeepAliveAcross = "keep-alive-across" // what it alone saves on each
	FastestAcross   = "fastest-across"    // which strategy is, on each
	Compromise      = "compromise"        // what is nowhere far from the fastest, where that changes
)

// Causes of FastestAcross.
const (
	CauseOneFastest = "one-everywhere"
	CauseChanges    = "changes"
	CauseAlone      = "one-strategy" // there is no other
)
