package lab

import (
	"net/netip"
	"os"
	"time"

	"linger"
	"linger/trace"
)

// A port is one host as the pump sees it.
type port struct {
	fd    int // of openTUN
	addr  netip.Addr
	side  Side
	delay time.Duration // the host's own, each way, beside the network's
}

// pumpConfig is what a pump is made of.
type pumpConfig struct {
	network linger.Network
	seed    uint64
	ports   []port
	// capture, if not nil, gets each packet as sent into the link, as pcapng, up
	// to captureLimit bytes.
	capture      *os.File
	captureLimit int64
}

// A pump carries packets between hosts through the two links of a network.
type pump struct{}

func newPump(pumpConfig) (*pump, error) { return &pump{}, nil }

// run moves packets until stop is called.
func (p *pump) run() error { return nil }

// stop ends run.
func (p *pump) stop() {}

// ledger returns what has crossed the links so far.
func (p *pump) ledger() trace.Ledger { return trace.Ledger{} }
