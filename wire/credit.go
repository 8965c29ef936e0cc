package wire

import "time"

// What this program's clients allow a server, over sockets and in the simulator: the values of
// Chromium.
const (
	// StreamCredit and ConnCredit are how many bytes the server may send ahead on a stream
	// and on a connection (RFC 9113, 6.9.2; RFC 9000, 4.1).
	StreamCredit = 6 << 20
	ConnCredit   = 15 << 20
	// QUICIdle is the max_idle_timeout that they announce (RFC 9000, 10.1).
	QUICIdle = 30 * time.Second
)

// LeastIdle is the shortest max_idle_timeout of a server that quic-go, which this program speaks
// by, takes for its word (MinRemoteIdleTimeout): a shorter one it holds for this.
const LeastIdle = 5 * time.Second
