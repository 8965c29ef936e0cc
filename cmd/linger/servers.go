package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"linger"
	"linger/lab"
	"linger/live"
	"linger/policy"
	"linger/trace"
)

// mostServers bounds the server hosts of one lab. Each is a namespace and a process;
// a page of 2026 has some 15 origins.
const mostServers = 16

// A server is one host of a lab with the origins that are on it.
type server struct {
	name    string
	delay   time.Duration // each way, its own
	origins []int         // of the workload; each has ports of its own
	aliases []string      // the origins' names that a host can have
}

// serversOf puts each origin of a workload on a host of its own, where there are no
// more than a lab holds; otherwise those whose distances are nearest to each other
// share one. The first origin is on the first host, which is called "origin". The
// note, if any, says what is not as the workload has it.
func serversOf(w linger.Workload) (servers []server, note string) {
	n := w.OriginCount()
	extra := func(i int) time.Duration {
		if len(w.Origins) == 0 {
			return 0
		}
		return w.Origins[i].ExtraRTT.Or(0)
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	hosts := min(n, mostServers)
	if hosts < n {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(extra(a), extra(b)) })
	}
	off := time.Duration(0)
	for h := range hosts {
		share := order[h*n/hosts : (h+1)*n/hosts]
		middle := extra(share[len(share)/2])
		for _, i := range share {
			off = max(off, (extra(i) - middle).Abs())
		}
		servers = append(servers, server{delay: middle / 2, origins: share})
	}
	if hosts < n {
		first := slices.IndexFunc(servers, func(s server) bool { return slices.Contains(s.origins, 0) })
		servers[0], servers[first] = servers[first], servers[0]
		note = fmt.Sprintf("%d origins share the lab's %d server hosts, with connections of their own; round trips to them are up to %v off", n, hosts, off.Round(time.Millisecond/10))
	}
	taken := map[string]bool{clientHost: true, originHost: true, "localhost": true}
	for h := range servers {
		s := &servers[h]
		if s.name = originHost; h > 0 {
			s.name = fmt.Sprintf("%s%d", originHost, h+1)
		}
		taken[s.name] = true
	}
	for h := range servers {
		s := &servers[h]
		for _, i := range s.origins {
			if len(w.Origins) == 0 {
				continue
			}
			if name := w.Origins[i].Host(); lab.IsHostName(name) && net.ParseIP(name) == nil && !taken[name] {
				taken[name] = true
				s.aliases = append(s.aliases, name)
			}
		}
	}
	return servers, note
}

// extraTrip is the longest round trip that a server adds to the network's.
func extraTrip(servers []server) time.Duration {
	most := time.Duration(0)
	for _, s := range servers {
		most = max(most, 2*s.delay)
	}
	return most
}

// portsApart is how far apart the ports of two origins on one host are.
const portsApart = 1000

// placesOf says where a client finds each origin of a workload.
func placesOf(l *lab.Lab, w linger.Workload, servers []server, port int) []live.Place {
	places := make([]live.Place, w.OriginCount())
	for _, s := range servers {
		for slot, i := range s.origins {
			p := live.Place{Address: fmt.Sprintf("%v:%d", l.Addr(s.name), port+slot*portsApart), Host: originHost}
			if len(w.Origins) > 0 && w.Origins[i].Name != "" {
				p.Host, p.ServerName = w.Origins[i].Name, s.name
				if name := w.Origins[i].Host(); slices.Contains(s.aliases, name) {
					p.ServerName = name
				}
			}
			places[i] = p
		}
	}
	return places
}

// runningServers are the server processes of a lab, in the order in which they were
// started, before any other.
type runningServers []*runningOrigin

// startServers starts a process on each server host; ready says when they serve.
func startServers(l *lab.Lab, servers []server, w linger.Workload, p policy.ServerPolicy) (all runningServers, err error) {
	defer func() {
		if err != nil {
			all.abandon()
		}
	}()
	for _, s := range servers {
		o, err := startOrigin(l, s.name)
		if err != nil {
			return all, err
		}
		all = append(all, o)
		order := originOrder{Workload: w, Policy: p, Origins: s.origins,
			Names: append([]string{s.name, l.Addr(s.name).String()}, s.aliases...)}
		if err := json.NewEncoder(o.in).Encode(order); err != nil {
			return all, cmp.Or(o.stop(), err)
		}
	}
	return all, nil
}

// ready waits until all servers accept connections; they make ready side by side.
func (all runningServers) ready() error {
	for _, o := range all {
		if err := o.decoder.Decode(&o.said); err != nil {
			return cmp.Or(o.stop(), err)
		}
	}
	return nil
}

// authorities are the certificates, in PEM, of who vouches for the servers.
func (all runningServers) authorities() []byte {
	var out []byte
	for _, o := range all {
		out = append(out, o.said.Authority...)
	}
	return out
}

// pins are the keys of the servers' certificates; see originReady.
func (all runningServers) pins() []string {
	var out []string
	for _, o := range all {
		out = append(out, o.said.Pin)
	}
	return out
}

// finish ends the servers and returns what they have seen, all together. Of how many
// requests each connection carried, a port that was used towards two of them is left out.
func (all runningServers) finish() (originSeen, error) {
	sum, twice := originSeen{Carried: map[string]int{}}, map[string]bool{}
	var errs []error
	for _, o := range all {
		seen, err := o.finish()
		errs = append(errs, err)
		sum.Add(seen.Counters)
		for client, n := range seen.Carried {
			if _, ok := sum.Carried[client]; ok {
				twice[client] = true
			}
			sum.Carried[client] = n
		}
	}
	for client := range twice {
		delete(sum.Carried, client)
	}
	return sum, errors.Join(errs...)
}

func (all runningServers) abandon() {
	for _, o := range all {
		o.abandon()
	}
}

// sideOf adds up what the servers have spent between two reports; see trace.Host.
func sideOf(servers []server, ready, seen lab.Report) trace.Host {
	var sum trace.Host
	for i, s := range servers {
		h := seen.Hosts[s.name]
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
