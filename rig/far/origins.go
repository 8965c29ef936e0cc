package far

import (
	"errors"
	"fmt"

	"linger/lab"
	"linger/rig/host"
	"linger/trace"
)

// Origins are the server processes of a lab, in the order in which they were started, before
// any other.
type Origins struct {
	running []*host.RunningOrigin
	said    []host.OriginReady
}

// StartOrigins starts a process on each server host; Ready says when they serve. order is what
// all of them are told: which origins they are, and under which names, is said here.
func StartOrigins(l *lab.Lab, servers []Server, order host.OriginOrder) (*Origins, error) {
	all := &Origins{}
	for _, s := range servers {
		order.Origins, order.Names = s.Origins, append([]string{s.Name, l.Addr(s.Name).String()}, s.Aliases...)
		o, err := host.StartOrigin(l, s.Name, order)
		if err != nil {
			all.Abandon()
			return nil, err
		}
		all.running = append(all.running, o)
	}
	return all, nil
}

// Ready waits until all servers accept connections; they make ready side by side.
func (all *Origins) Ready() error {
	for _, o := range all.running {
		said, err := o.Ready()
		if err != nil {
			return err
		}
		all.said = append(all.said, said)
	}
	return nil
}

// Authorities are the certificates, in PEM, of who vouches for the servers.
func (all *Origins) Authorities() []byte {
	var out []byte
	for _, said := range all.said {
		out = append(out, said.Authority...)
	}
	return out
}

// Pins are the keys of the servers' certificates; see host.OriginReady.
func (all *Origins) Pins() []string {
	var out []string
	for _, said := range all.said {
		out = append(out, said.Pin)
	}
	return out
}

// Finish ends the servers and returns what they have seen, all together. Connections from a
// port that was used towards two of them are counted, but found by no port.
func (all *Origins) Finish() (host.OriginSeen, error) {
	sum, twice := host.OriginSeen{Carried: map[string]int{}}, map[string]bool{}
	each, err := all.FinishEach()
	for i, seen := range each {
		sum.Add(seen.Counters)
		for client, n := range seen.Carried {
			if before, ok := sum.Carried[client]; ok && !twice[client] {
				twice[client] = true
				sum.Carried[client+", the first"] = before
			}
			if twice[client] {
				delete(sum.Carried, client)
				client = fmt.Sprintf("%s, server %d", client, i)
			}
			sum.Carried[client] = n
		}
	}
	return sum, err
}

// FinishEach ends the servers and returns what each of them has seen.
func (all *Origins) FinishEach() ([]host.OriginSeen, error) {
	out, errs := make([]host.OriginSeen, len(all.running)), make([]error, len(all.running))
	for i, o := range all.running {
		out[i], errs[i] = o.Finish()
	}
	return out, errors.Join(errs...)
}

// Restart has one of the servers end all its connections and begin anew; see
// host.RunningOrigin.Restart.
func (all *Origins) Restart(server int) error { return all.running[server].Restart() }

// Abandon ends those that have not been ended.
func (all *Origins) Abandon() {
	for _, o := range all.running {
		o.Abandon()
	}
}

// Spent adds up what the servers have spent between two reports; see trace.Host.
func Spent(servers []Server, ready, seen lab.Report) trace.Host {
	var sum trace.Host
	for i, s := range servers {
		h := seen.Hosts[s.Name]
		sum.CPU += seen.Commands[i].CPU - ready.Commands[i].CPU
		if i == 0 {
			h.CPU = sum.CPU
			sum = h
			continue
		}
		sockets := map[string]int{}
		for _, one := range []map[string]int{sum.Sockets, h.Sockets} {
			for state, n := range one {
				sockets[state] += n
			}
		}
		sum.Sockets = sockets
		sum.SocketsPeak += h.SocketsPeak
		sum.SocketsLeft += h.SocketsLeft
		sum.TimeWait += h.TimeWait
		sum.SocketMemory += h.SocketMemory
		sum.Samples = min(sum.Samples, h.Samples)
	}
	return sum
}
