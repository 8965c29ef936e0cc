package observe

import (
	"errors"
	"io"

	"linger/audit"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/trace"
)

// A selection is the connections whose packets are worth keeping: those that need not
// have been opened, each with the one whose place it took; where requests are to be found, those
// on which they were.
type selection struct {
	on      bool
	wanted  map[int64]bool
	carrier map[int64]int64 // of what was in a tunnel
}

// tunnel takes in which connection carried another.
func (s *selection) tunnel(c *trace.Connection) {
	if outer, ok := c.Within.Get(); ok && s.on {
		if s.carrier == nil {
			s.carrier = map[int64]int64{}
		}
		s.carrier[c.ID] = outer
	}
}

// add takes in a connection, if it is one of those.
func (s *selection) add(r audit.Row, found bool) {
	if !s.on || !found {
		return
	}
	if s.wanted == nil {
		s.wanted = map[int64]bool{}
	}
	for _, id := range []int64{r.ID, r.Before} {
		for outer, ok := id, id >= 0; ok; outer, ok = s.carrier[outer] {
			s.wanted[outer] = true
		}
	}
}

// unread is a sink of records that were read before.
type unread struct{}

func (unread) WriteConnection(*trace.Connection) error { return nil }
func (unread) WriteExchange(*trace.Exchange) error     { return nil }

// WritePackets reads the captures again and writes the packets that are worth keeping, with the
// secrets that the captures hold.
func (s *Seen) WritePackets(to io.Writer, captures []Source) error {
	files, err := open(captures)
	if err != nil {
		return err
	}
	w := pcap.NewWriter(to, files)
	_, err = packet.Read(files, packet.Options{MaxTracked: s.limit, Keys: s.keys, Each: func(f *pcap.Frame, id int64) {
		if s.picked.wanted[id] {
			w.Write(f)
		}
	}}, unread{})
	return errors.Join(err, w.Close())
}
