package predict

import "linger"

// An Outcome is what requests would have taken with a setting. All but what stands under Instead
// is predicted.
type Outcome struct {
	Requests int `json:"requests"` // that were replayed
	// Opened is how many connections there would have been for them; Low and High are how far
	// the replay may be off, by how far it is off of what was observed where it changes nothing.
	Opened int `json:"opened"`
	Low    int `json:"opened_low"`
	High   int `json:"opened_high"`
	// Full and Resumed are the handshakes of TLS among them.
	Full    int `json:"tls_full"`
	Resumed int `json:"tls_resumed"`
	// Waiting is for handshakes, in ms, once for each connection for which a request waited, as
	// what was observed; Queueing what requests waited besides, for a connection that was there
	// or that others waited for, too. Unknown where no handshake was recorded whole.
	Waiting  linger.Opt[float64] `json:"waiting_ms,omitzero"`
	Queueing linger.Opt[float64] `json:"queueing_ms,omitzero"`
	// Instead is what was observed of the same requests.
	Instead Observed `json:"instead_of"`
	Known   string   `json:"known"` // "predicted"
}

// An Observed is what the requests of an Outcome took.
type Observed struct {
	Opened   int                 `json:"opened"`
	Replayed int                 `json:"replayed"` // what the replay says of them where it changes nothing
	Full     int                 `json:"tls_full"`
	Resumed  int                 `json:"tls_resumed"`
	Waiting  linger.Opt[float64] `json:"waiting_ms,omitzero"`
}

// Saved is how much less is waited, in ms, for handshakes and for connections; unknown where one
// of both is.
func (o Outcome) Saved() (ms float64, ok bool) {
	now, ok := o.Waiting.Get()
	was, ok2 := o.Instead.Waiting.Get()
	return was - now - o.Queueing.Or(0), ok && ok2
}

// Reuse is the share of requests that would not have been the first on their connection.
func (o Outcome) Reuse() float64 { return 1 - float64(o.Opened)/float64(max(1, o.Requests)) }

// Plus is two outcomes as one.
func (o Outcome) Plus(p Outcome) Outcome {
	sum := func(a, b linger.Opt[float64]) linger.Opt[float64] {
		if a.IsZero() && b.IsZero() {
			return a
		}
		return linger.Known(a.Or(0) + b.Or(0))
	}
	return Outcome{
		Requests: o.Requests + p.Requests, Opened: o.Opened + p.Opened, Low: o.Low + p.Low, High: o.High + p.High,
		Full: o.Full + p.Full, Resumed: o.Resumed + p.Resumed, Waiting: sum(o.Waiting, p.Waiting), Queueing: sum(o.Queueing, p.Queueing),
		Instead: Observed{
			Opened: o.Instead.Opened + p.Instead.Opened, Replayed: o.Instead.Replayed + p.Instead.Replayed, Full: o.Instead.Full + p.Instead.Full,
			Resumed: o.Instead.Resumed + p.Instead.Resumed, Waiting: sum(o.Instead.Waiting, p.Instead.Waiting),
		},
		Known: Known,
	}
}

// Known says how outcomes are known.
const Known = "predicted"

// A Prediction is what a setting would have come to.
type Prediction struct {
	Setting Setting `json:"setting"`
	// Text is the setting as --what-if has it.
	Text    string  `json:"text"`
	All     Outcome `json:"all"`
	Origins []Of    `json:"origins,omitempty"`
	// Caveats are codes of what may make it wrong, with how many connections or requests that
	// is.
	Caveats []Caveat `json:"caveats,omitempty"`
}

// Of is an outcome of one origin.
type Of struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address"`
	Outcome
}

// A Caveat is a reason not to believe a prediction, and how many it is of.
type Caveat struct {
	Code CaveatCode `json:"code"`
	N    int        `json:"n"`
}

// A CaveatCode is an open set.
type CaveatCode string

// What may make a prediction wrong.
const (
	BeganBefore CaveatCode = "began-before" // connections of which the beginning was not seen: what they carried is replayed, and theirs are left out of both counts
	Unanswered  CaveatCode = "unanswered"   // requests without a whole response are not replayed
	Inferred    CaveatCode = "inferred"     // requests are known by sizes and times alone
	Saturated   CaveatCode = "saturated"    // requests were sent as soon as a connection was free: when they were wanted is not known
	Unlimited   CaveatCode = "unlimited"    // connections that clients did not keep, and now keep for good, as nothing tells for how long they would
	LeftOut     CaveatCode = "left-out"     // requests were not replayed, since there are too many
	NotKept     CaveatCode = "not-kept"     // connections of which the requests are not known any more, or never were
	Adrift      CaveatCode = "adrift"       // the replay that changes nothing is off by so many connections
)
