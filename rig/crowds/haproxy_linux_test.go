package crowds

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/internal/testall"
	"linger/rig/far"
	"linger/rig/host"
	"linger/trace"
)

// A haproxy is a balancer in front of servers, by its socket for administration.
type haproxy string

func (h haproxy) ask(t *testing.T, what string) string {
	t.Helper()
	c, err := net.Dial("unix", string(h))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	fmt.Fprintln(c, what)
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Error(err)
	}
	return string(answer)
}

// The columns of HAProxy's statistics that are read: connections that were given to a server, and
// bytes that came from it.
const (
	sessions = 7
	bytesOut = 9
)

// counts is a column of HAProxy's own statistics, by server.
func (h haproxy) counts(t *testing.T, servers, column int) []int {
	lines, err := csv.NewReader(strings.NewReader(h.ask(t, "show stat"))).ReadAll()
	if err != nil {
		t.Error(err)
	}
	out := make([]int, servers)
	for _, line := range lines {
		number, is := strings.CutPrefix(line[1], "s") // svname
		if i, err := strconv.Atoi(number); is && err == nil {
			out[i], err = strconv.Atoi(line[column])
			if err != nil {
				t.Error(err)
			}
		}
	}
	return out
}

// TestABalancerInFront holds what an added server gets against HAProxy's own counters, where that
// balances connections to the same servers: nothing of kept connections, and a fair share of those
// that are closed.
func TestABalancerInFront(t *testing.T) {
	needLab(t)
	testall.Long(t, "half a minute of real time")
	path := testall.Located("haproxy")
	if path == "" {
		testall.Lacks(t, "haproxy is not installed; Debian has it in haproxy")
	}
	const servers, add = 4, 3 * time.Second
	for _, name := range []string{"keep", "close"} {
		t.Run(name, func(t *testing.T) {
			strategy, err := linger.ParseStrategy(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			balancer := haproxy(filepath.Join(dir, "socket"))
			config := fmt.Sprintf("global\n stats socket %s level admin\ndefaults\n mode tcp\n option contstats\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"+
				"frontend f\n bind 0.0.0.0:8080\n default_backend b\nbackend b\n balance leastconn\n", balancer)
			command := ""
			for i := range servers + 1 {
				command += fmt.Sprintf("%s prefork 127.0.0.1:%d 200 & ", os.Args[0], 9000+i)
				config += fmt.Sprintf(" server s%d 127.0.0.1:%d\n", i, 9000+i)
			}
			config = strings.TrimSuffix(config, "\n") + " disabled\n"
			file := filepath.Join(dir, "conf")
			if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
				t.Fatal(err)
			}
			server, err := far.NewOwn(command+"exec "+path+" -db -f "+file, "http://origin:8080/page", host.Reach{})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			s := linger.Scenario{Workload: linger.Workload{Name: "page", Scheme: linger.SchemeHTTP, Found: true,
				Exchanges: []linger.Exchange{{Method: "GET", Path: "/page", Status: 200, ResponseBody: 4, Parent: linger.NoParent}}},
				Strategy: strategy, Network: near, Seed: 1}
			c := linger.Crowd{Clients: 40, Arrivals: 40, Duration: 8 * time.Second, Think: linger.Think{Least: 500 * time.Millisecond}}
			var before []int
			done := make(chan struct{})
			go func() {
				defer close(done)
				for t.Context().Err() == nil { // once the crowd is there
					if _, err := os.Stat(string(balancer)); err == nil && sum(balancer.counts(t, servers+1, sessions)) > 20 {
						break
					}
					time.Sleep(20 * time.Millisecond)
				}
				time.Sleep(add)
				before = balancer.counts(t, servers+1, bytesOut)
				balancer.ask(t, "set server b/s4 state ready")
			}()
			ran(t, Lab{Version: "dev", Own: server}, s, c)
			<-done
			after := balancer.counts(t, servers+1, bytesOut)
			for i := range after {
				after[i] -= before[i]
			}
			if sum(after) == 0 {
				t.Fatalf("nothing was sent once the server was added, and %v before", before)
			}
			theirs := float64(after[servers]) / (float64(sum(after)) / (servers + 1))
			c.Backends, c.AddAt, c.Balance = servers, add, linger.LeastConnections
			s.Workload.Found = false
			r := crowd.Compare(&crowd.Experiment{Crowd: c, Network: near, Workload: s.Workload, Trials: 1, Strategies: []linger.Strategy{strategy},
				Runs: [][]*trace.Crowd{{ran(t, Lab{Version: "dev"}, s, c)}}})
			ours := r.Rows[0].Balance.Added
			t.Logf("of a fair share the added server has %.2f behind HAProxy, %.2f of ours", theirs, ours.Or(-1))
			if math.Abs(theirs-ours.Or(-1)) > 0.1 {
				t.Errorf("of a fair share the added server has %.2f behind HAProxy, %.2f of ours", theirs, ours.Or(-1))
			}
		})
	}
}

func sum(all []int) (total int) {
	for _, n := range all {
		total += n
	}
	return total
}
