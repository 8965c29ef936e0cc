package packet_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/trace"
)

// records is a Sink that keeps what it gets.
type records struct {
	connections []trace.Connection
	exchanges   []trace.Exchange
}

func (r *records) WriteConnection(c *trace.Connection) error {
	r.connections = append(r.connections, *c)
	return nil
}

func (r *records) WriteExchange(x *trace.Exchange) error {
	r.exchanges = append(r.exchanges, *x)
	return nil
}

// read reads capture files.
func read(t testing.TB, files ...[]byte) (got records, s packet.Summary) {
	t.Helper()
	s = readWith(t, packet.Options{}, &got, files...)
	return got, s
}

func readWith(t testing.TB, o packet.Options, to packet.Sink, files ...[]byte) packet.Summary {
	t.Helper()
	var in []pcap.Input
	for i, b := range files {
		in = append(in, pcap.Input{Name: fmt.Sprint(i), From: bytes.NewReader(b)})
	}
	opened, err := pcap.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	s, err := packet.Read(opened, o, to)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// needs skips a test that lacks a program, or fails it where all must run.
func needs(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("LINGER_TEST_ALL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// counted is what both can say of a connection of TCP.
type counted struct{ syn, retransmitted, requests, responses int64 }

// byTshark counts the connections of a capture file. What it takes for a keep-alive probe
// with an octet, or for out of order, is a retransmission here.
func byTshark(t testing.TB, file string, more ...string) map[int64]counted {
	t.Helper()
	fields := []string{"tcp.stream", "tcp.flags.syn", "tcp.len", "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.keep_alive", "http.request.method", "http.response.code"}
	args := []string{"-n", "-r", file, "-Y", "tcp and not icmp and not icmpv6", "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(t.Context(), "tshark", append(args, more...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, stderr.String())
	}
	out := map[int64]counted{}
	for line := range strings.Lines(string(text)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		stream, err := strconv.ParseInt(v[0], 10, 64)
		if err != nil || len(v) != len(fields) {
			t.Fatalf("tshark prints %q", line)
		}
		c := out[stream]
		if v[1] == "1" || v[1] == "True" {
			c.syn++
		}
		if v[3]+v[4] != "" || v[5] != "" && v[2] != "0" {
			c.retransmitted++
		}
		if v[6] != "" {
			c.requests += int64(1 + strings.Count(v[6], ","))
		}
		if v[7] != "" {
			for code := range strings.SplitSeq(v[7], ",") {
				if code[0] != '1' || code == "101" {
					c.responses++ // interim ones are no answers
				}
			}
		}
		out[stream] = c
	}
	return out
}

// ofRecords counts the same of records.
func ofRecords(t testing.TB, r records) map[int64]counted {
	t.Helper()
	out, streams := map[int64]counted{}, map[int64]int64{}
	for _, c := range r.connections {
		up, down := c.Up.Or(trace.Flow{}), c.Down.Or(trace.Flow{})
		if !c.Within.IsZero() || up.SYN+down.SYN == 0 && c.Protocol == "quic" || c.Protocol == "udp" {
			continue
		}
		n, ok := c.Stream.Get()
		if !ok {
			t.Errorf("connection %d has no number of Wireshark's", c.ID)
		}
		streams[c.ID] = n
		out[n] = counted{syn: up.SYN + down.SYN, retransmitted: up.Retransmitted + down.Retransmitted}
	}
	for _, x := range r.exchanges {
		n, ok := streams[x.Connection]
		if !ok {
			continue
		}
		c := out[n]
		if x.Method != "" {
			c.requests++
		}
		if x.Status != 0 {
			c.responses++
		}
		out[n] = c
	}
	return out
}

// alone is what tshark counts more than the records have, by file and stream, and why.
var alone = map[string]map[int64]counted{
	// Each packet was captured twice, and counts once here.
	"zeek_nflog-http.pcap":             {0: {syn: 2, retransmitted: 2}},
	"zeek_http_m57-long-49600-80.pcap": {0: {syn: 2, retransmitted: 18}},
	// Frame 8, a request, was captured after its own acknowledgement, frame 6. Requests of
	// HTTP/0.9 are none for tshark.
	"zeek_ipv6-http-atomic-frag.pcap": {0: {retransmitted: 1, requests: -1}, 1: {requests: -1}, 2: {requests: -1}, 3: {requests: -1}},
	"zeek_http_http_09.pcap":          {0: {requests: -1}},
	// Frame 19, a FIN, was captured after frame 18, an empty segment that was sent after it.
	"zeek_tls_tls13_psk_succesfull.pcap": {0: {retransmitted: 1}},
	// A part of the response's body was not captured: tshark waits for it in vain.
	"zeek_http_entity_gap.pcap": {0: {responses: -1}},
	// Parts of the body came in another order, which tshark waits for, unless told otherwise.
	"zeek_http_concurrent-range-requests.pcap": {1: {responses: -1}},
}

// captures are those of others, beside the checkout or beside the folder of several.
func captures(t testing.TB) (files []string) {
	t.Helper()
	for _, up := range []string{"../../..", "../../../.."} {
		more, err := filepath.Glob(up + "/shared/data/pcap/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range more {
			if !slices.ContainsFunc(files, func(other string) bool { return filepath.Base(other) == filepath.Base(file) }) {
				files = append(files, file)
			}
		}
	}
	return files
}

func TestTsharkCountsTheSame(t *testing.T) {
	files := captures(t)
	if len(files) == 0 {
		t.Skip("no captures in ../../shared/data/pcap")
	}
	needs(t, "tshark")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			records, _ := read(t, b)
			got, want := ofRecords(t, records), byTshark(t, file)
			for n, w := range want {
				more := alone[filepath.Base(file)][n]
				w = counted{w.syn - more.syn, w.retransmitted - more.retransmitted, w.requests - more.requests, w.responses - more.responses}
				if g := got[n]; g != w {
					t.Errorf("tcp.stream %d: %+v, tshark counts %+v beside what it is known to", n, g, w)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d connections, tshark counts %d", len(got), len(want))
			}
		})
	}
}
