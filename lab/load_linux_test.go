package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
)

// What the lab carries of many clients: real HTTP by another client and another server than
// linger's own. docs/fidelity.md keeps what BenchmarkCrowd prints; CrowdCapacity rests on it.

func init() {
	roles["site"] = serveGallery
	roles["browse"] = browse
}

// serveGallery serves objects of the size that they are asked for, on port 80.
func serveGallery([]string) int {
	l, err := net.Listen("tcp4", ":80")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	body := make([]byte, 1<<16)
	err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Path[1:])
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.Write(body[:min(size, len(body))])
	}))
	fmt.Println(err)
	return 1
}

// browse loads the gallery from each address over six connections, the page before what it names,
// and has the addresses begin over a time. It prints how long each took in nanoseconds.
func browse(args []string) int {
	over, err := time.ParseDuration(args[0])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	gallery := linger.Gallery(1)
	var all sync.WaitGroup
	var mu sync.Mutex
	for i, from := range args[1:] {
		all.Go(func() {
			time.Sleep(over * time.Duration(i) / time.Duration(len(args)-1))
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: netip.MustParseAddr(from).AsSlice()}}
			transport := &http.Transport{MaxConnsPerHost: 6, MaxIdleConnsPerHost: 6, DialContext: func(ctx context.Context, _, to string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp4", to)
			}}
			defer transport.CloseIdleConnections()
			fetch := func(x linger.Exchange) {
				r, err := (&http.Client{Transport: transport}).Get(fmt.Sprintf("http://origin/%d", x.ResponseBody))
				if err == nil {
					_, err = io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
				if err != nil {
					fmt.Println(err)
				}
			}
			began := time.Now()
			fetch(gallery.Exchanges[0])
			var rest sync.WaitGroup
			for _, x := range gallery.Exchanges[1:] {
				rest.Go(func() { fetch(x) })
			}
			rest.Wait()
			mu.Lock()
			defer mu.Unlock()
			fmt.Println(time.Since(began).Nanoseconds())
		})
	}
	all.Wait()
	return 0
}

// BenchmarkCrowd loads the gallery by so many clients, at one moment or one after the other, each
// on a link of its own. It prints how long a load takes beside one client's alone, and how late
// packets are.
func BenchmarkCrowd(b *testing.B) {
	network, err := linger.ParseNetwork("lte")
	if err != nil {
		b.Fatal(err)
	}
	for _, over := range []time.Duration{0, 10 * time.Second} {
		for _, clients := range []int{1, 10, 25, 50, 100, 200, 400} {
			if clients == 1 && over > 0 {
				continue
			}
			b.Run(fmt.Sprintf("%d over %v", clients, over), func(b *testing.B) {
				c := two()
				c.Network, c.Own, c.PipesOnly = network, true, true
				c.SampleEvery, c.SeriesEvery = 100*time.Millisecond, 100*time.Millisecond
				c.Hosts[0].Addresses = clients
				for b.Loop() {
					l := openLab(b, c)
					startReady(b, l, role("origin", "site"))
					out, _ := output(b, l, role("client", "browse", append([]string{over.String()}, texts(l.Addrs("client"))...)...))
					var took []time.Duration
					for line := range strings.Lines(out) {
						ns, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
						if err != nil {
							b.Fatal(line)
						}
						took = append(took, time.Duration(ns))
					}
					slices.Sort(took)
					r := report(b, l)
					b.ReportMetric(float64(quantile(took, 0.5))/1e6, "load-ms-median")
					b.ReportMetric(float64(quantile(took, 0.95))/1e6, "load-ms-p95")
					b.ReportMetric(float64(r.Ledger.Lateness.Median)/1e6, "late-ms-median")
					b.ReportMetric(float64(r.Ledger.Lateness.P99)/1e6, "late-ms-p99")
					b.ReportMetric(float64(r.Ledger.Up.Packets+r.Ledger.Down.Packets), "pkts")
					l.Close()
				}
			})
		}
	}
}
