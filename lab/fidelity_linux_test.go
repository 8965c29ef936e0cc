package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"linger"
	"linger/internal/testall"
)

// How true the lab is to the network that it is given. docs/fidelity.md keeps
// what these benchmarks print, and says how to read it.

func init() {
	roles["accept"] = acceptAll
	roles["handshake"] = handshakes
}

// acceptAll accepts connections to port 81 and closes each after its peer.
func acceptAll([]string) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err = errors.Join(err, unix.Bind(fd, &unix.SockaddrInet4{Port: 81}), unix.Listen(fd, 1024)); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	for {
		c, _, err := unix.Accept(fd)
		if err != nil {
			return 1
		}
		unix.Read(c, make([]byte, 1))
		unix.Close(c)
	}
}

// handshakes connects to an address so many times, one after the other, and
// prints how long each took in nanoseconds: as connect(2) returned, and as the
// kernel's own clock at the socket has it, from the SYN to the SYN-ACK
// (tcpi_rtt, in microseconds).
func handshakes(args []string) int {
	addr := unix.SockaddrInet4{Port: 81, Addr: netip.MustParseAddr(args[0]).As4()}
	count, _ := strconv.Atoi(args[1])
	for range count {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		began := time.Now()
		err = unix.Connect(fd, &addr)
		took := time.Since(began)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(took.Nanoseconds(), int64(info.Rtt)*1000)
		unix.Close(fd)
	}
	return 0
}

// quantile returns the value that a share q of sorted values do not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func BenchmarkFidelityRoundTrip(b *testing.B) {
	for _, rtt := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		b.Run(rtt.String(), func(b *testing.B) {
			c := two()
			c.Network.RTT = rtt
			l := openLab(b, c)
			startReady(b, l, role("origin", "accept"))
			var app, kernel []time.Duration
			for b.Loop() {
				out, e := output(b, l, role("client", "handshake", l.Addr("origin").String(), "100"))
				if e.Status() != 0 {
					b.Fatal(out)
				}
				for line := range strings.Lines(out) {
					var a, k time.Duration
					if _, err := fmt.Sscan(line, &a, &k); err != nil {
						b.Fatal(err)
					}
					app, kernel = append(app, a-rtt), append(kernel, k-rtt)
				}
			}
			slices.Sort(app)
			slices.Sort(kernel)
			late := report(b, l).Ledger.Lateness
			microseconds := func(d time.Duration, unit string) { b.ReportMetric(float64(d)/1e3, unit) }
			microseconds(quantile(kernel, 0.5), "tcp-added-µs-median")
			microseconds(quantile(kernel, 0.99), "tcp-added-µs-p99")
			microseconds(quantile(app, 0.5), "connect-added-µs-median")
			microseconds(quantile(app, 0.99), "connect-added-µs-p99")
			microseconds(late.Median, "late-µs-median")
			microseconds(late.P99, "late-µs-p99")
		})
	}
}

func report(b testing.TB, l *Lab) Report {
	b.Helper()
	r, err := l.Report(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// iperf is what the receiver of iperf3 says, and the rate of CPU use of both.
type iperf struct {
	End struct {
		Received struct {
			BitsPerSecond float64 `json:"bits_per_second"`
		} `json:"sum_received"`
		Sum struct {
			Packets int64 `json:"packets"`
			Lost    int64 `json:"lost_packets"`
		} `json:"sum"`
	} `json:"end"`
}

// runIperf runs iperf3 from the client to the origin.
func runIperf(b *testing.B, l *Lab, args ...string) (r iperf) {
	b.Helper()
	server, _ := startSaying(b, l, shell("origin", "exec iperf3 -s -1 --forceflush"))
	out, e := output(b, l, Command{Host: "client", Path: "/usr/bin/env", Args: append([]string{"iperf3", "-J", "-c", l.Addr("origin").String()}, args...)})
	if e.Status() != 0 {
		b.Fatal(out)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		b.Fatal(err)
	}
	if _, err := server.Wait(); err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkFidelityRate sends one TCP connection's bulk towards the client for
// five seconds after the first two, and compares what iperf3 received, 1448 bytes
// in each packet of 1500, with the rate. The queue is so long, or the window so
// small, that nothing is dropped: the bytes that wait behind a hole would come in
// at once when it is filled, and count as faster than the link.
func BenchmarkFidelityRate(b *testing.B) {
	testall.Needs(b, "iperf3")
	for _, c := range []struct {
		rate   linger.Rate
		window string
	}{{linger.Mbps, "64K"}, {10 * linger.Mbps, "128K"}, {100 * linger.Mbps, "0"}, {500 * linger.Mbps, "0"}} {
		b.Run(fmt.Sprintf("%dMbps", c.rate/linger.Mbps), func(b *testing.B) {
			config := two()
			config.Network = linger.Network{RTT: 20 * time.Millisecond, Down: c.rate, Up: c.rate, Queue: 2 * time.Second}
			l := openLab(b, config)
			var got float64
			for b.Loop() {
				got += runIperf(b, l, "-R", "-O", "2", "-t", "5", "-w", c.window).End.Received.BitsPerSecond * linger.MTU / 1448
			}
			r := report(b, l).Ledger
			if r.Down.DroppedQueue > 0 {
				b.Errorf("%d packets were dropped", r.Down.DroppedQueue)
			}
			b.ReportMetric((got/float64(b.N)/float64(c.rate)-1)*100, "error-%")
			b.ReportMetric(float64(r.Lateness.Median)/1e3, "late-µs-median")
			b.ReportMetric(float64(r.Lateness.P99)/1e3, "late-µs-p99")
		})
	}
}

// BenchmarkFidelityLoss sends datagrams over a link with a loss of 1 %, and prints
// how many of them iperf3 missed, how many the link lost by its own account, and
// one standard deviation. Where the first two differ a host lost the rest, for want
// of CPU time.
func BenchmarkFidelityLoss(b *testing.B) {
	testall.Needs(b, "iperf3")
	const loss = 0.01
	c := two()
	c.Network.Loss = loss
	l := openLab(b, c)
	var sent, lost int64
	for b.Loop() {
		r := runIperf(b, l, "-u", "-b", "20M", "-l", "200", "-t", "5")
		sent += r.End.Sum.Packets
		lost += r.End.Sum.Lost
	}
	up := report(b, l).Ledger.Up
	b.ReportMetric(float64(lost)/float64(sent)*100, "lost-%")
	b.ReportMetric(float64(up.DroppedLoss)/float64(up.Packets)*100, "link-lost-%")
	b.ReportMetric(math.Sqrt(loss*(1-loss)/float64(sent))*100, "sd-%")
	b.ReportMetric(float64(sent)/float64(b.N), "pkts/op")
}

// BenchmarkFidelityUnshaped is how much one TCP connection carries where the lab
// adds nothing: as super-packets, and segment by segment as on a shaped or lossy
// link.
func BenchmarkFidelityUnshaped(b *testing.B) {
	testall.Needs(b, "iperf3")
	for _, c := range []struct {
		name string
		loss float64
	}{{"superpackets", 0}, {"segments", 1e-12}} {
		b.Run(c.name, func(b *testing.B) {
			config := two()
			config.Network = linger.Network{Loss: c.loss}
			l := openLab(b, config)
			var got float64
			var took time.Duration
			for b.Loop() {
				began := time.Now()
				got += runIperf(b, l, "-R", "-O", "1", "-t", "5").End.Received.BitsPerSecond
				took += time.Since(began)
			}
			r := report(b, l).Ledger
			b.ReportMetric(got/float64(b.N)/1e9, "Gbit/s")
			b.ReportMetric(float64(r.Up.Packets+r.Down.Packets)/took.Seconds(), "pkts/s")
			b.ReportMetric(float64(r.Lateness.Median)/1e3, "late-µs-median")
			b.ReportMetric(float64(r.Lateness.P99)/1e3, "late-µs-p99")
		})
	}
}
