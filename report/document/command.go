package document

import (
	"encoding/json"
	"io"

	"linger"
	"linger/assert"
	"linger/report/trial"
	"linger/trace"
)

// commandFormat names the JSON of what a command did on the emulated network, and the
// version of its form. The first had no name, and times in nanoseconds.
const commandFormat = "linger lab 2"

// A Command is what a program of the user's own did with its connections.
type Command struct {
	Format  string         `json:"format"`
	Linger  string         `json:"linger"`
	Command []string       `json:"command"`
	Status  int            `json:"status"`
	Network linger.Network `json:"network"`
	Ledger  trace.Ledger   `json:"ledger"`
	// Requests are those on each connection, by the client's IP:port; null is that nobody
	// read them.
	Requests map[string]int `json:"requests"`
	Client   trace.Host     `json:"client"`
	// Origin is absent where the server is outside.
	Origin linger.Opt[trace.Host] `json:"origin,omitzero"`
	// Relays are what carried connections on to servers outside.
	Relays []trial.Relayed `json:"relays,omitempty"`

	Asserted []assert.Result `json:"assertions,omitempty"`
}

// Write writes it as JSON.
func (c Command) Write(w io.Writer) error {
	c.Format = commandFormat
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(c)
}
