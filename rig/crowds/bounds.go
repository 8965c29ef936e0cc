package crowds

import (
	"fmt"
	"runtime"
	"sort"
	"strings"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/fault"
	"linger/lab"
	"linger/trace"
)

// longest is after how long a run is stopped.
func (c Comparison) longest() time.Duration { return c.Crowd.Due() + c.Patience }

// carried reports that there are more clients than a lab of this machine carries.
func (c Comparison) carried() error {
	all := c.Crowd.Clients
	least, fewest := linger.Strategy{}, all
	for _, s := range c.all() {
		// Fewer clients come in the same time, which is fewer a second.
		over := sort.Search(all, func(i int) bool { return !c.carries(s, i+1) })
		if over < fewest {
			least, fewest = s, over
		}
	}
	if fewest == all {
		return nil
	}
	return fmt.Errorf("the lab carries %s of %s on this machine, not %d", linger.Plural(max(1, fewest), "client"), least.Name, all)
}

// carries reports whether a lab of this machine carries so many of the crowd's clients by one of its
// strategies.
func (c Comparison) carries(s linger.Strategy, clients int) bool {
	part := c.Crowd
	part.Mix, part.Clients = nil, clients
	part.Arrivals *= float64(clients) / float64(c.Crowd.Clients)
	_, most := lab.CrowdCapacity(linger.Scenario{Workload: c.Workload, Strategy: s, Network: c.Network}, part, runtime.NumCPU())
	return clients <= max(1, most)
}

// Forewarn returns what is to be said before a run: that the servers cannot keep up.
func (c Comparison) Forewarn() []string {
	cores := max(1, c.Capacity.Cores) * max(1, c.Crowd.Backends)
	work := time.Duration(len(c.Workload.Exchanges)) * c.Capacity.Service // of a page
	if work == 0 {
		return nil
	}
	wanted, served := pagesWanted(c.Crowd), float64(cores)/work.Seconds()
	if wanted <= served {
		return nil
	}
	return []string{fmt.Sprintf("%s that want %.3g pages a second cannot be served in time: at %v a request and %s a page, %s can serve %.3g; pages take longer and longer, until no client wants one or the run is stopped",
		linger.Plural(c.Crowd.Clients, "client"), wanted, c.Capacity.Service, linger.Plural(len(c.Workload.Exchanges), "request"), linger.Plural(cores, "core"), served)}
}

// pagesWanted is how many pages a second clients want at most where each page takes no time.
func pagesWanted(c linger.Crowd) float64 {
	if c.Visits == 1 || c.Think.Mean() == 0 {
		return c.Arrivals
	}
	again := float64(c.Clients) / c.Think.Mean().Seconds()
	if c.Arrivals > 0 && c.Visits > 0 {
		return min(again, c.Arrivals*float64(c.Visits))
	}
	return again
}

// Shortfall is the error of an experiment that has runs without a record, or pages that were not
// loaded. It says how many of which strategy, and why.
func Shortfall(x *crowd.Experiment) error {
	var lost []string
	for i, s := range x.Strategies {
		if n := len(x.Failed[i]); n > 0 {
			lost = append(lost, fmt.Sprintf("%s: %d of %s failed (%s)", s.Name, n, linger.Plural(x.Trials, "trial"), x.Failed[i][0]))
		}
		if pages, of, why := unloaded(x.Runs[i]); pages > 0 {
			lost = append(lost, fmt.Sprintf("%s: %d of %s were not loaded (%s)", s.Name, pages, linger.Plural(of, "page"), why))
		}
	}
	if len(lost) > 0 {
		return fault.Unmet("%s", strings.Join(lost, "; "))
	}
	return nil
}

// unloaded is how many pages of runs were not loaded whole, and why the first was not. Of runs
// that the user has ended, those that were under way are not lost.
func unloaded(runs []*trace.Crowd) (pages, of int, why string) {
	for _, r := range runs {
		if r == nil {
			continue
		}
		of += len(r.Visits)
		for _, v := range r.Visits {
			reason := v.Why
			if v.Failed == 0 {
				if _, done := v.Done.Get(); done || r.Interrupted {
					continue
				}
				reason = "not done when the run was stopped"
			}
			if pages++; why == "" {
				why = reason
			}
		}
	}
	return pages, of, why
}
