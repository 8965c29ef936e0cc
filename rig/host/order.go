package host

import (
	"time"

	"linger"
	"linger/browser"
	"linger/live"
	"linger/origin"
	"linger/origin/gate"
	"linger/policy"
	"linger/trace"
)

// An OriginOrder is what the origin of a lab is told.
type OriginOrder struct {
	Workload linger.Workload     `json:"workload"`
	Policy   policy.ServerPolicy `json:"policy"`
	// Origins are those of the workload's that it is, each on ports of its own.
	Origins []int `json:"origins"`
	// Names and addresses that its certificate bears.
	Names []string `json:"names"`
	// Capacity is what each of Origins has room for.
	Capacity policy.Capacity `json:"capacity,omitzero"`
	// Watch has it tell of its connections, one by one, and what it held every so often; 0 does
	// not.
	Watch time.Duration `json:"watch_ns,omitempty"`
}

// An originWord is what the origin of a lab is told while it runs.
type originWord struct {
	Restart bool `json:"restart"` // origin.Server.Restart
}

// OriginReady says that the origin accepts connections.
type OriginReady struct {
	// Authority is the root's certificate in PEM, for clients to trust.
	Authority []byte `json:"authority"`
	// Pin is the SHA-256 sum, in base64, of the public key of its own certificate.
	Pin string `json:"pin"`
}

// OriginSeen is what the origin says at its end.
type OriginSeen struct {
	origin.Counters
	// Carried is how many requests each connection carried, by the client's
	// IP:port.
	Carried map[string]int `json:"carried"`
	// Connections are those that have ended, in that order, and Samples what it held: of one that
	// was watched.
	Connections []OriginConnection `json:"connections,omitempty"`
	Samples     []OriginSample     `json:"samples,omitempty"`
}

// An OriginConnection is one connection as the origin saw it, by the clock of the machine.
type OriginConnection struct {
	Client   string     `json:"client"` // IP:port
	Accepted time.Time  `json:"accepted"`
	Closed   time.Time  `json:"closed"`
	ClosedBy trace.Peer `json:"closed_by"`
	Reason   string     `json:"reason"` // policy.ReasonRefused of one for which there was no room
	Requests int        `json:"requests"`
}

// An OriginSample is what the origin was at, by the clock of the machine.
type OriginSample struct {
	At time.Time `json:"at"`
	gate.Load
}

// A ClientOrder is what the client of a lab is told.
type ClientOrder struct {
	Scenario linger.Scenario `json:"scenario"`
	// Places are where the workload's origins are.
	Places []live.Place `json:"places"`
	// Authority is the certificate, in PEM, of who may vouch for the origin.
	Authority []byte `json:"authority"`
	// Agent is the User-Agent of its requests to the origin.
	Agent string `json:"agent"`
	// Pace is the least time between two exchanges that it begins to want.
	Pace time.Duration `json:"pace_ns"`
	// Secrets and Qlog ask for what can be read only here.
	Secrets bool `json:"secrets"`
	Qlog    bool `json:"qlog"`
	// Own is a server that is not ours, in the place of Places and Authority. Visit has its
	// page looked for, in the place of the scenario's workload.
	Own   *OwnOrder `json:"own,omitempty"`
	Visit bool      `json:"visit,omitempty"`
}

// An OwnOrder is what the client of a lab is told of a server of the user's own.
type OwnOrder struct {
	URL     string `json:"url"`
	Address string `json:"address"` // in the lab
	Reach   Reach  `json:"reach"`
}

// Config is how the server is reached, and what is expected of it.
func (o OwnOrder) Config() (live.Config, error) {
	config, err := o.Reach.Config()
	if err != nil {
		return config, err
	}
	config.Address = o.Address
	config.Encoding, config.Statuses = "gzip", true
	return config.Towards(o.URL)
}

// ClientSeen is what the client of a lab answers.
type ClientSeen struct {
	Trace *trace.Trace `json:"trace"`
	// Secrets are the lines of SSLKEYLOGFILE.
	Secrets []byte `json:"secrets,omitempty"`
	// Qlog is the qlog of each QUIC connection, by its number.
	Qlog map[int][]byte `json:"qlog,omitempty"`
	// Page is what a visit has found.
	Page *live.Page `json:"page,omitempty"`
}

// A browserOrder is what the client of a lab is told that is a browser.
type browserOrder struct {
	Scenario linger.Scenario `json:"scenario"`
	Config   browser.Config  `json:"config"`
	Secrets  bool            `json:"secrets"`
}
