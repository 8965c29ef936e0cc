package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"linger/sockdiag"
)

// A Port is one on which a service listens.
type Port struct {
	Number uint16
	UDP    bool
	// Local is where, if other hosts cannot reach it there; else empty.
	Local string
}

// portsOf are the ports of some sockets, each once, and open if any of its sockets is; those of
// TCP first. Sockets of UDP that only the host itself reaches are its own affair: a
// resolver's, mostly.
func portsOf(all []sockdiag.Listener) []Port {
	var ports []Port
	for _, l := range all {
		p := Port{Number: l.Address.Port(), UDP: l.UDP}
		if !l.TakesIPv4() {
			if p.Local = l.Address.String(); p.UDP {
				continue
			}
		}
		same := slices.IndexFunc(ports, func(o Port) bool { return o.Number == p.Number && o.UDP == p.UDP })
		switch {
		case same < 0:
			ports = append(ports, p)
		case p.Local == "":
			ports[same].Local = ""
		}
	}
	slices.SortFunc(ports, func(a, b Port) int {
		return cmp.Or(strings.Compare(a.transport(), b.transport()), cmp.Compare(a.Number, b.Number))
	})
	return ports
}

func (p Port) transport() string {
	if p.UDP {
		return "UDP"
	}
	return "TCP"
}

// String is the port as lists of them have it.
func (p Port) String() string {
	if p.Local != "" {
		return fmt.Sprintf("%s %s", p.transport(), p.Local)
	}
	return fmt.Sprintf("%s port %d", p.transport(), p.Number)
}

// List names ports in one line.
func List(ports []Port) string {
	var words []string
	for _, p := range ports {
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}
