package sweep

// Codes of what the networks of a sweep come to.
const (
	NothingPredicted = "nothing-predicted"
	FastestOn        = "fastest-on"       // on how many networks each strategy is
	NoneDelivered    = "none-delivered"   // on any network
	KeepAliveOn      = "keep-alive-on"    // what it alone saves, of each pair
	KeepingUntold    = "keeping-untold"   // no network has a strategy of each kind
	KeepingSavesOn   = "keeping-saves-on" // how many networks, and what
	NearFastestOn    = "near-fastest-on"  // on how many networks each strategy is
	MostSaved        = "most-saved"       // where
	NoneSame         = "none-same"        // keeping makes a difference on every network
	SameOn           = "same-on"          // it makes none on so many
	BorderAt         = "border"           // where it begins to make one, at one loss
	KeepingCostsOn   = "keeping-costs-on" // how many networks
	NoiseOn          = "noise-on"         // how many networks noise is not ruled out
	UnknownOn        = "unknown-on"       // how many networks, for one reason
	MoreReasons      = "more-reasons"     // than are told
	Uncovered        = "uncovered"        // networks on which nobody has measured
	Stopped          = "stopped"          // before the last network
)
