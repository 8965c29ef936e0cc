package crowds

import (
	"bufio"
	"cmp"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"linger"
	"linger/rig/far"
	"linger/rig/host"
	"linger/trace"
)

// prefork serves a page at every path, at the address and with as many workers as the arguments
// say, each of which has one connection at a time, until that is closed.
func prefork(args []string) {
	l, err := net.Listen("tcp", args[0])
	workers, wrong := strconv.Atoi(args[1])
	if err = cmp.Or(err, wrong); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for range workers {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				for in, last := bufio.NewReader(c), false; !last; {
					q, err := http.ReadRequest(in)
					if err != nil {
						break
					}
					last = q.Close
					fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\npage")
				}
				c.Close()
			}
		}()
	}
	select {}
}

// A server of the user's own is the same one from run to run, on a path of its own. What it took is
// not known; that some wait for it is.
func TestAServerOfTheUsersOwn(t *testing.T) {
	needLab(t)
	t.Parallel()
	server, err := far.NewOwn("exec "+os.Args[0]+" prefork :8080 2", "http://shop.example:8080/page", host.Reach{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	const clients = 5
	e := Lab{Version: "dev", Own: server}
	for _, name := range []string{"keep", "close"} {
		strategy, err := linger.ParseStrategy(name)
		if err != nil {
			t.Fatal(err)
		}
		s := linger.Scenario{Workload: linger.Workload{Name: "page", Scheme: linger.SchemeHTTP, Found: true,
			Exchanges: []linger.Exchange{{Method: "GET", Path: "/page", Status: 200, ResponseBody: 4, Parent: linger.NoParent}}},
			Strategy: strategy, Network: near, Seed: 1}
		r := ran(t, e, s, linger.Crowd{Clients: clients, Visits: 2, Think: linger.Think{Least: 300 * time.Millisecond}})
		if r.Engine != "lab" || r.Overrun || len(r.Visits) != 2*clients || len(r.Servers) != 1 || r.Up.Packets == 0 {
			t.Fatalf("%s: the record is %+v", name, r)
		}
		waiting, slow := 0, 0
		for _, v := range r.Visits {
			if v.Failed > 0 || v.Done.IsZero() || v.Bytes != 4 {
				t.Errorf("%s: a visit is %+v", name, v)
			}
			if v.Done.Or(0)-v.Wanted > linger.Instant(200*time.Millisecond) {
				slow++
			}
		}
		for _, c := range r.Connections {
			if !c.Accepted.IsZero() {
				t.Errorf("%s: a connection is %+v", name, c)
			}
		}
		for _, x := range r.Samples {
			waiting = max(waiting, x.Server.Waiting.Or(0))
			if !x.Server.Taken.IsZero() || !x.Server.Busy.IsZero() || !x.Server.Queued.IsZero() {
				t.Fatalf("%s: a sample is %+v", name, x)
			}
		}
		if kept := strategy.Persistent; kept && (waiting != clients-2 || slow != clients-2) || !kept && slow > 0 {
			t.Errorf("%s: %d wait at most, and %d pages are slow", name, waiting, slow)
		}
		if r.Server.Or(trace.Host{}).CPU < 0 || r.Server.Or(trace.Host{}).SocketsLeft > 0 {
			t.Errorf("%s: the server has %+v", name, r.Server)
		}
	}
}
