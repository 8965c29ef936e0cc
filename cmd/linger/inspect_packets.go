package main

import (
	"errors"
	"fmt"

	"os"
	"path/filepath"

	"linger/audit"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/trace"
)

// A selection is the connections whose packets -o FILE.pcapng writes: those that need not
// have been opened, each with the one whose place it took; with --find, those on which
// the requests were.
type selection struct {
	name    string // of the file; empty writes none
	wanted  map[int64]bool
	carrier map[int64]int64 // of what was in a tunnel
}

// pickable reports why no packets can be picked from what is read.
func (s *selection) pickable(c inspectCmd, names []string) error {
	if s.name == "" {
		return nil
	}
	if c.Redact {
		return usage("-o %s: packets hold the addresses that --redact hides; write them without it", s.name)
	}
	for _, name := range names {
		if name == "-" || filepath.Ext(name) == ".trace" {
			return usage("-o %s: captures are read twice for that; name their files", s.name)
		}
	}
	return nil
}

// tunnel takes in which connection carried another.
func (s *selection) tunnel(c *trace.Connection) {
	if outer, ok := c.Within.Get(); ok && s.name != "" {
		if s.carrier == nil {
			s.carrier = map[int64]int64{}
		}
		s.carrier[c.ID] = outer
	}
}

// add takes in a connection, if it is one of those.
func (s *selection) add(r audit.Row, found bool) {
	if s.name == "" || !found {
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

// write reads the captures again and writes the packets.
func (s *selection) write(c inspectCmd, names []string) (err error) {
	if s.name == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = statusError{exitMachine, fmt.Errorf("-o %s: %w", s.name, err)}
		}
	}()
	var inputs []pcap.Input
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		inputs = append(inputs, pcap.Input{Name: filepath.Base(name), From: f})
	}
	files, err := pcap.Open(inputs)
	if err != nil {
		return err
	}
	to, err := os.Create(s.name)
	if err != nil {
		return err
	}
	w := pcap.NewWriter(to, files)
	_, err = packet.Read(files, packet.Options{MaxTracked: c.MaxTracked, Each: func(f *pcap.Frame, id int64) {
		if s.wanted[id] {
			w.Write(f)
		}
	}}, unread{})
	return errors.Join(err, w.Close(), to.Close())
}
