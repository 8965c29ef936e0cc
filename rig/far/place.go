package far

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"time"

	"linger"
	"linger/lab"
	"linger/live"
	"linger/rig/host"
)

// mostServers bounds the server hosts of one lab. Each is a namespace and a process;
// a page of 2026 has some 15 origins.
const mostServers = 16

// A Server is one host of a lab with the origins that are on it.
type Server struct {
	Name    string
	Delay   time.Duration // down and up, its own
	Origins []int         // of the workload; each has ports of its own
	Aliases []string      // the origins' names that a host can have
}

// Place puts each origin of a workload on a host of its own, where there are no
// more than a lab holds; otherwise those whose distances are nearest to each other
// share one. The first origin is on the first host, which is called "origin". The
// note, if any, says what is not as the workload has it.
func Place(w linger.Workload) (servers []Server, note string) {
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
		servers = append(servers, Server{Delay: middle / 2, Origins: share})
	}
	if hosts < n {
		first := slices.IndexFunc(servers, func(s Server) bool { return slices.Contains(s.Origins, 0) })
		servers[0], servers[first] = servers[first], servers[0]
		note = fmt.Sprintf("%d origins share the lab's %d server hosts, with connections of their own", n, hosts)
		if off = off.Round(time.Millisecond / 10); off > 0 {
			note += fmt.Sprintf("; round trips to them are up to %v off", off)
		}
	}
	taken := map[string]bool{host.Client: true, host.Origin: true, "localhost": true}
	for h := range servers {
		s := &servers[h]
		if s.Name = host.Origin; h > 0 {
			s.Name = fmt.Sprintf("%s%d", host.Origin, h+1)
		}
		taken[s.Name] = true
	}
	for h := range servers {
		s := &servers[h]
		for _, i := range s.Origins {
			if len(w.Origins) == 0 {
				continue
			}
			if name := w.Origins[i].Host(); lab.IsHostName(name) && net.ParseIP(name) == nil && !taken[name] {
				taken[name] = true
				s.Aliases = append(s.Aliases, name)
			}
		}
	}
	return servers, note
}

// ExtraRTT is the longest round trip that a server adds to the network's.
func ExtraRTT(servers []Server) time.Duration {
	most := time.Duration(0)
	for _, s := range servers {
		most = max(most, 2*s.Delay)
	}
	return most
}

// Places says where a client finds each origin of a workload.
func Places(l *lab.Lab, w linger.Workload, servers []Server, port int) []live.Place {
	places := make([]live.Place, w.OriginCount())
	for _, s := range servers {
		for slot, i := range s.Origins {
			p := live.Place{Address: fmt.Sprintf("%v:%d", l.Addr(s.Name), port+slot*host.PortsApart), Host: host.Origin}
			if len(w.Origins) > 0 && w.Origins[i].Name != "" {
				p.Host, p.ServerName = w.Origins[i].Name, s.Name
				if name := w.Origins[i].Host(); slices.Contains(s.Aliases, name) {
					p.ServerName = name
				}
			}
			places[i] = p
		}
	}
	return places
}
