package trace

import (
	"encoding/json"
	"time"

	"linger"
)

// CrowdFormat names the document that a crowd's record is, and the version of its form.
const CrowdFormat = "linger crowd 1"

// A Crowd is one run of many clients: what became of each page and each connection, and what
// both sides held meanwhile. Instants are counted from when the first client could come.
type Crowd struct {
	Provenance Provenance `json:"provenance"`
	Engine     string     `json:"engine"` // "lab" or "sim"
	Workload   string     `json:"workload"`
	// Strategy is that of all clients; of a mix, its name as linger.ParseMix reads it.
	Strategy string         `json:"strategy"`
	Network  linger.Network `json:"network"`
	Seed     uint64         `json:"seed"`
	Trial    int            `json:"trial"`
	Plan     linger.Crowd   `json:"crowd"`
	Began    time.Time      `json:"began,omitzero"`
	// Ended is when the last page had ended, or the run was stopped.
	Ended       linger.Instant    `json:"ended_us"`
	Visits      []Visit           `json:"visits"`
	Connections []CrowdConnection `json:"connections"`
	// Served counts the requests that were answered, by server and by second of the run:
	// Served[1][30] are those of the second server in the 31st second. Serve counts one.
	Served [][]int `json:"served,omitempty"`
	// Received are the bytes of bodies that came, by share of the mix and by second of the run.
	// Receive counts some.
	Received [][]int64 `json:"received,omitempty"`
	// Samples are what was held, in order of time. Every is the time between two.
	Samples []CrowdSample `json:"samples"`
	Every   time.Duration `json:"every_us"`
	// Client and Server are what each side spent, where it could be seen; Servers are the
	// same of each server.
	Client  linger.Opt[Host] `json:"client,omitzero"`
	Server  linger.Opt[Host] `json:"server,omitzero"`
	Servers []Host           `json:"servers,omitempty"`
	// Lateness is how late the emulated path handed packets on.
	Lateness linger.Opt[Lateness] `json:"lateness,omitzero"`
	// Up and Down are what the path carried.
	Up   Pipe `json:"up"`
	Down Pipe `json:"down"`
	// Interrupted says that the run was stopped before its end; Overrun, that it was at a bound:
	// clients came faster than they were served.
	Interrupted bool     `json:"interrupted,omitempty"`
	Overrun     bool     `json:"overrun,omitempty"`
	Notes       []string `json:"notes,omitempty"`
}

// Serve counts a request that a server answered, at an instant that is not before the run began.
func (c *Crowd) Serve(server int, at linger.Instant) { c.Served = count(c.Served, server, at, 1) }

// Receive counts bytes of bodies that clients of a share received, at such an instant.
func (c *Crowd) Receive(share int, at linger.Instant, bytes int64) {
	c.Received = count(c.Received, share, at, bytes)
}

// count adds to a count by row and by second.
func count[T int | int64](rows [][]T, row int, at linger.Instant, n T) [][]T {
	for len(rows) <= row {
		rows = append(rows, nil)
	}
	second := int(at / linger.Instant(time.Second))
	for len(rows[row]) <= second {
		rows[row] = append(rows[row], 0)
	}
	rows[row][second] += n
	return rows
}

// MarshalJSON writes the time between samples in microseconds, as linger.Micros.
func (c Crowd) MarshalJSON() ([]byte, error) {
	type plain Crowd
	return json.Marshal(struct {
		plain
		Every linger.Micros `json:"every_us"`
	}{plain(c), linger.Micros(c.Every)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Crowd) UnmarshalJSON(b []byte) error {
	type plain Crowd
	return json.Unmarshal(b, &struct {
		*plain
		Every *linger.Micros `json:"every_us"`
	}{(*plain)(c), (*linger.Micros)(&c.Every)})
}

// A Visit is one page of one client.
type Visit struct {
	Client int `json:"client"`
	Number int `json:"number"` // of the client's pages, from 0
	Share  int `json:"share,omitempty"`
	// Wanted is when the client wanted it; Done is when its last object was there or had
	// failed, unknown where the run ended first.
	Wanted linger.Instant             `json:"wanted_us"`
	Done   linger.Opt[linger.Instant] `json:"done_us,omitzero"`
	// Failed counts its requests that were not answered; Why is the reason of the first.
	Failed   int    `json:"failed,omitempty"`
	Why      string `json:"why,omitempty"`
	Requests int    `json:"requests"` // that were answered
	// Bytes are those of bodies that came, of requests that were not answered too.
	Bytes int64 `json:"bytes"`
	// Dialled is how many connections were opened for it.
	Dialled int `json:"dialled"`
}

// A CrowdConnection is one connection of one client.
type CrowdConnection struct {
	Client int `json:"client"`
	Server int `json:"server"` // of the back ends, from 0
	// Local is the client's end, IP:port, by which others know the connection; empty where it
	// has none.
	Local   string         `json:"local,omitempty"`
	Dialled linger.Instant `json:"dialled_us"`
	// Established is when the transport's handshake was done at the client; Accepted when the
	// server took it out of its accept queue, Closed when the client saw or made its end.
	Established linger.Opt[linger.Instant] `json:"established_us,omitzero"`
	Accepted    linger.Opt[linger.Instant] `json:"accepted_us,omitzero"`
	Closed      linger.Opt[linger.Instant] `json:"closed_us,omitzero"`
	ClosedBy    Peer                       `json:"closed_by,omitempty"`
	Reason      string                     `json:"reason,omitempty"`
	Requests    int                        `json:"requests"` // that were answered
	Bytes       int64                      `json:"bytes"`
}

// A CrowdSample is what was held at one instant.
type CrowdSample struct {
	At     linger.Instant `json:"at_us"`
	Client Held           `json:"client"`
	Server Held           `json:"server"`
	// Servers are the same of each server.
	Servers []Held `json:"servers,omitempty"`
}

// What Linux holds for a TCP connection at one end, in bytes, beside data in its buffers: the
// socket itself, 2,368, and what a program has it by, a file, its names and what waits for it; and
// for one in TIME_WAIT. By /proc/slabinfo of Linux 6.18 on amd64, over 8,000 idle connections.
const (
	SocketMemory   = 4050
	TimeWaitMemory = 256
)

// Held is what one side holds.
type Held struct {
	// Sockets are those of TCP, or connections of QUIC, TIME_WAIT apart.
	Sockets  int `json:"sockets"`
	TimeWait int `json:"time_wait"`
	// Memory is what the kernel holds for them, in bytes: SocketMemory and TimeWaitMemory for
	// each, and data in their buffers.
	Memory linger.Opt[int64] `json:"memory,omitzero"`
	// Waiting are connections in the accept queue, Taken those that the server has taken: the
	// workers that are held, where a connection holds one. Busy are those of them with a
	// request under way; Queued requests that wait for a core. What a side cannot have, as a
	// client, or nobody saw, as within a server of the user's own, is not known.
	Waiting linger.Opt[int] `json:"waiting,omitzero"`
	Taken   linger.Opt[int] `json:"taken,omitzero"`
	Busy    linger.Opt[int] `json:"busy,omitzero"`
	Queued  linger.Opt[int] `json:"queued,omitzero"`
}
