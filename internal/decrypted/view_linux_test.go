package decrypted

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"linger"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/internal/tshark"
	"linger/trace"
)

// A flow names a connection as Wireshark numbers it in its file: "tcp 3", "udp 0".
type flow string

// A view is what somebody says of one flow.
type view struct {
	requests, responses int
	statuses            string // "200: 3, 404: 1", of final responses
	full, resumed       int    // handshakes of TLS
}

// A status counts the responses by their status.
type statuses map[string]int

func (s statuses) String() string {
	var list []string
	for _, code := range slices.Sorted(maps.Keys(s)) {
		list = append(list, fmt.Sprintf("%s: %d", code, s[code]))
	}
	return strings.Join(list, ", ")
}

// read reads a capture with the keys that it holds, and those of key logs.
func read(file string, keys ...string) (tshark.Records, packet.Summary, error) {
	log := &secrets.Log{}
	for _, name := range keys {
		b, err := os.ReadFile(name)
		if err != nil {
			return tshark.Records{}, packet.Summary{}, err
		}
		log.Add(b)
	}
	f, err := os.Open(file)
	if err != nil {
		return tshark.Records{}, packet.Summary{}, err
	}
	defer f.Close()
	files, err := pcap.Open([]pcap.Input{{Name: file, From: f}})
	if err != nil {
		return tshark.Records{}, packet.Summary{}, err
	}
	log.Add(files.Secrets)
	var got tshark.Records
	sum, err := packet.Read(files, packet.Options{Keys: log}, &got)
	return got, sum, err
}

// flowOf is the flow of a connection.
func flowOf(c *trace.Connection) flow {
	n, ok := c.Stream.Get()
	if !ok {
		return flow("none " + fmt.Sprint(c.ID))
	}
	if c.Protocol.OverQUIC() || c.Protocol.Datagram() || c.QUIC != (linger.Opt[trace.QUIC]{}) {
		return flow(fmt.Sprint("udp ", n))
	}
	return flow(fmt.Sprint("tcp ", n))
}

// ours are the views of what was read.
func ours(r tshark.Records) map[flow]view {
	out, of, codes := map[flow]view{}, map[int64]flow{}, map[flow]statuses{}
	for i := range r.Connections {
		c := &r.Connections[i]
		f := flowOf(c)
		of[c.ID] = f
		v := out[f]
		if t, ok := c.TLS.Get(); ok && t.Cipher != "" {
			if t.Resumed {
				v.resumed++
			} else {
				v.full++
			}
		}
		out[f], codes[f] = v, statuses{}
	}
	for i := range r.Exchanges {
		x := &r.Exchanges[i]
		f := of[x.Connection]
		v := out[f]
		if x.Known == trace.Inferred {
			continue // by sizes; nobody else says such
		}
		v.requests++
		if said := cmp.Or(x.Rcode, fmt.Sprint(x.Status)); said != "0" {
			v.responses++
			codes[f][said]++
		}
		out[f] = v
	}
	for f, s := range codes {
		v := out[f]
		v.statuses = s.String()
		out[f] = v
	}
	return out
}

// fields are what tshark is asked for of each packet.
var fields = []string{
	"frame.number", "tcp.stream", "udp.stream", "udp.srcport", "tls.handshake.type", "http.request.method", "http.response.code",
	"http2.headers.method", "http2.headers.status", "http3.frame_type", "quic.stream.stream_id", "dns.flags.response", "dns.flags.rcode", "tcp.flags.syn",
}

// rcodes are the response codes of DNS that answers here may have.
var rcodes = map[string]string{"0": "NOERROR", "2": "SERVFAIL", "3": "NXDOMAIN"}

// list is the values of a field that a packet has several times.
func list(row tshark.Row, field string) []string {
	if row[field] == "" {
		return nil
	}
	return strings.Split(row[field], ",")
}

// theirs are the views of what tshark reads, with further arguments. It decodes no heads of
// HTTP/3 (QPACK) in version 4.0: of that there are requests and responses by HEADERS frames,
// and no statuses. DNS over QUIC is no protocol for it: each stream of the client's is a query.
func theirs(ctx context.Context, file string, more ...string) (map[flow]view, error) {
	args := append([]string{"-n", "-d", "udp.port==853,quic", "-o", "tcp.reassemble_out_of_order:TRUE"}, more...)
	rows, err := tshark.Read(ctx, file, args, fields...)
	if err != nil {
		return nil, err
	}
	all := map[flow]*dissected{}
	for _, row := range rows {
		f := flow("tcp " + row["tcp.stream"])
		if row["tcp.stream"] == "" {
			f = flow("udp " + row["udp.stream"])
		}
		if f == "udp " {
			continue
		}
		if all[f] == nil {
			all[f] = &dissected{client: row["udp.srcport"], web: statuses{}, names: statuses{}, asked: map[int]bool{}}
		}
		all[f].add(row)
	}
	out := map[flow]view{}
	for f, d := range all {
		if v := d.view(); v != (view{}) || d.began {
			out[f] = v // the rest is what came too late of a connection before
		}
	}
	return out, nil
}

// dissected is what tshark says of one flow.
type dissected struct {
	client             string // port, of UDP
	hello, certificate bool
	began              bool // by a SYN, or a datagram
	web, names         statuses
	requests, queries  int
	down               int          // HEADERS frames of HTTP/3 towards the client
	asked              map[int]bool // the client's streams of QUIC
}

func (d *dissected) add(row tshark.Row) {
	up := row["udp.srcport"] == d.client
	d.began = d.began || row.Is("tcp.flags.syn") == 1 || d.client != ""
	for _, kind := range list(row, "tls.handshake.type") {
		d.hello = d.hello || kind == "2"
		d.certificate = d.certificate || kind == "11"
	}
	for _, answer := range list(row, "dns.flags.response") {
		if answer == "0" || answer == "False" {
			d.queries++
		}
	}
	for _, code := range list(row, "dns.flags.rcode") {
		d.names[cmp.Or(rcodes[code], code)]++
	}
	d.requests += len(list(row, "http.request.method")) + len(list(row, "http2.headers.method"))
	for _, code := range append(list(row, "http.response.code"), list(row, "http2.headers.status")...) {
		if code[0] != '1' || code == "101" { // interim ones are no answers
			d.web[code]++
		}
	}
	for _, kind := range list(row, "http3.frame_type") {
		d.down += count(kind == "1" && !up)
	}
	for _, id := range list(row, "quic.stream.stream_id") {
		if n, err := strconv.Atoi(id); up && err == nil && n%4 == 0 { // RFC 9000, 2.1
			d.asked[n] = true
		}
	}
}

func (d *dissected) view() (v view) {
	v.full, v.resumed = count(d.hello && d.certificate), count(d.hello && !d.certificate)
	said := d.web
	v.requests = d.requests
	if len(d.names) > 0 {
		// What HTTP carries. Of GET the query is in the URL, where tshark does not look for it.
		said, v.requests = d.names, max(d.requests, d.queries)
	}
	for _, n := range said {
		v.responses += n
	}
	v.statuses = said.String()
	if len(d.asked) > 0 {
		// A frame that was retransmitted is another one for tshark: streams are counted, and
		// responses up to as many.
		v.requests, v.responses = len(d.asked), min(max(d.down, v.responses), len(d.asked))
		v.statuses = ""
	}
	return v
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// hold reports what two differ in. What tshark does not say is not held.
func hold(t testing.TB, what string, ours, theirs map[flow]view) (wrong int) {
	t.Helper()
	early := strings.Contains(what, "0rtt")
	for _, f := range slices.Sorted(maps.Keys(theirs)) {
		w, g := theirs[f], ours[f]
		if early && strings.HasPrefix(string(f), "udp") {
			// tshark 4.0 reads next to nothing of a connection with 0-RTT.
			g.requests, g.responses, g.statuses = 0, 0, ""
			w.requests, w.responses, w.statuses = 0, 0, ""
		}
		if w.statuses == "" && strings.HasPrefix(string(f), "udp") {
			w.statuses, g.statuses = "", ""
		}
		if w.responses == 0 && strings.HasPrefix(string(f), "udp") {
			g.responses = 0
		}
		if g != w {
			wrong++
			t.Errorf("%s, %s: %+v, tshark reads %+v", what, f, g, w)
		}
	}
	for f := range ours {
		if _, ok := theirs[f]; !ok {
			wrong++
			t.Errorf("%s, %s: a connection that tshark does not have: %+v", what, f, ours[f])
		}
	}
	return wrong
}

// total is the sum of all flows.
func total(of map[flow]view) (sum view, flows int) {
	for _, v := range of {
		sum.requests += v.requests
		sum.responses += v.responses
		sum.full += v.full
		sum.resumed += v.resumed
	}
	return sum, len(of)
}
