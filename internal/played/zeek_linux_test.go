package played

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"linger"
	"linger/audit"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/capture/zeek"
	"linger/flow"
	"linger/trace"
)

// A zeekConn is a connection as conn.log has it, by the documentation of that.
type zeekConn struct {
	uid              string
	client, server   netip.AddrPort
	began, last      linger.Instant
	history          []byte
	packets, size    [2]int64    // of originator and responder
	first, next      [2]uint32   // numbers of their bytes: of the SYN, and behind the last
	flagged          [2][]string // numbers of SYN, FIN and RST, each of which counts once
	closed, reset    [2]bool
	syn, acked, seen bool
}

// take takes in a packet of a side: 0 is the originator.
func (c *zeekConn) take(at linger.Instant, p *flow.Packet, side int) {
	if !c.seen {
		c.began, c.seen = at, true
	}
	c.packets[side]++
	c.size[side] += int64(p.Headers + p.Payload)
	letter := func(l byte, once bool) {
		if side == 0 {
			l -= 'a' - 'A'
		}
		if !once || !slices.Contains(c.history, l) {
			c.history = append(c.history, l)
		}
	}
	flagged := func(l byte) {
		if name := fmt.Sprint(l, p.Seq); !slices.Contains(c.flagged[side], name) {
			c.flagged[side] = append(c.flagged[side], name)
			letter(l, false)
		}
	}
	productive := p.Payload > 0 || p.Flags&(flow.SYN|flow.FIN|flow.RST) != 0
	switch {
	case p.Flags&flow.SYN != 0 && p.Flags&flow.ACK == 0:
		flagged('s')
		c.first[side], c.syn = p.Seq+1, true
	case p.Flags&flow.SYN != 0:
		flagged('h')
		c.first[side], c.acked = p.Seq+1, true
	case p.Payload > 0:
		letter('d', true)
	case p.Flags&(flow.FIN|flow.RST) == 0:
		letter('a', true)
	}
	if end := p.Seq + uint32(p.Payload); p.Payload > 0 && (int32(end-c.next[side]) > 0 || c.next[side] == 0) {
		c.next[side] = end
	}
	if p.Flags&flow.FIN != 0 {
		flagged('f')
		c.closed[side] = true
	}
	if p.Flags&flow.RST != 0 {
		flagged('r')
		c.reset[side] = true
	}
	if productive || !c.closed[0] && !c.closed[1] && !c.reset[0] && !c.reset[1] {
		c.last = at
	}
}

// state is conn_state.
func (c *zeekConn) state() string {
	switch {
	case c.reset[1] && !c.acked && c.syn:
		return "REJ"
	case c.reset[1]:
		return "RSTR"
	case c.reset[0] && !c.acked:
		return "RSTOS0"
	case c.reset[0]:
		return "RSTO"
	case c.closed[0] && c.closed[1]:
		return "SF"
	case c.closed[0]:
		return "S2"
	case c.closed[1]:
		return "S3"
	case c.syn && !c.acked:
		return "S0"
	case c.syn:
		return "S1"
	}
	return "OTH"
}

// bytes are those of a side by its numbers.
func (c *zeekConn) bytes(side int) int64 {
	if c.first[side] == 0 || c.next[side] == 0 {
		return 0
	}
	return int64(max(0, int32(c.next[side]-c.first[side])))
}

// seconds is an instant as logs have it, counted from some day.
func seconds(at linger.Instant) string {
	us := int64(at)/1000 + 1_700_000_000_000_000
	return fmt.Sprintf("%d.%06d", us/1_000_000, us%1_000_000)
}

const zeekHead = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t%s\n#fields\t%s\n"

// A keep keeps exchanges and the addresses of their connections.
type keep struct {
	exchanges   []trace.Exchange
	connections map[int64]trace.Connection
}

func (k *keep) WriteExchange(e *trace.Exchange) error {
	k.exchanges = append(k.exchanges, *e)
	return nil
}
func (k *keep) WriteConnection(c *trace.Connection) error { k.connections[c.ID] = *c; return nil }

// zeekLogs are the logs that Zeek writes of a capture, by its documentation: conn.log from the
// packets, http.log and files.log from the exchanges.
func zeekLogs(t *testing.T, file string) (conns, requests, files string) {
	t.Helper()
	var all []*zeekConn
	live := map[[2]netip.AddrPort]*zeekConn{}
	err := frames(file, func(at linger.Instant, p *flow.Packet) {
		from, to := p.Key.Address(p.From), p.Key.Address(p.From.Other())
		side, pair := 0, [2]netip.AddrPort{from, to}
		if live[pair] == nil && live[[2]netip.AddrPort{to, from}] != nil {
			side, pair = 1, [2]netip.AddrPort{to, from}
		}
		c := live[pair]
		again := c != nil && side == 0 && p.Flags&(flow.SYN|flow.ACK) == flow.SYN && c.syn && c.first[0] != p.Seq+1
		if c == nil || again {
			c = &zeekConn{uid: fmt.Sprintf("C%d", len(all)), client: pair[0], server: pair[1]}
			live[pair], all = c, append(all, c)
		}
		c.take(at, p, side)
	})
	if err != nil {
		t.Fatal(err)
	}
	// What came later is logged later, but for what never ended.
	slices.SortStableFunc(all, func(a, b *zeekConn) int { return cmp.Compare(a.last, b.last) })
	var out, asked, bodies strings.Builder
	fmt.Fprintf(&out, zeekHead, "conn", strings.ReplaceAll("ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes", " ", "\t"))
	for _, c := range all {
		fmt.Fprintf(&out, "%s\t%s\t%s\t%d\t%s\t%d\ttcp\t-\t%.6f\t%d\t%d\t%s\t0\t%s\t%d\t%d\t%d\t%d\n", seconds(c.began), c.uid, c.client.Addr(), c.client.Port(), c.server.Addr(), c.server.Port(),
			c.last.Sub(c.began).Seconds(), c.bytes(0), c.bytes(1), c.state(), c.history, c.packets[0], c.size[0], c.packets[1], c.size[1])
	}
	k := exchangesOf(t, file)
	fmt.Fprintf(&asked, zeekHead, "http", strings.ReplaceAll("ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host uri user_agent request_body_len response_body_len status_code resp_fuids", " ", "\t"))
	fmt.Fprintf(&bodies, zeekHead, "files", strings.ReplaceAll("ts fuid source duration seen_bytes", " ", "\t"))
	for i, e := range k.exchanges {
		c := k.connections[e.Connection]
		at := slices.IndexFunc(all, func(z *zeekConn) bool {
			return z.client.String() == c.Client && z.server.String() == c.Server && z.began <= e.Queued && e.Queued <= z.last
		})
		if at < 0 || e.Method == "" {
			continue
		}
		z, status, fuid := all[at], "-", "-"
		host, path, _ := strings.Cut(strings.TrimPrefix(e.URL, "http://"), "/")
		if e.Status != 0 {
			status = fmt.Sprint(e.Status)
		}
		if first, ok := e.FirstByte.Get(); ok && e.ResponseBody > 0 && !e.Done.IsZero() {
			fuid = fmt.Sprintf("F%d", i)
			fmt.Fprintf(&bodies, "%s\t%s\tHTTP\t%.6f\t%d\n", seconds(first), fuid, e.Done.Or(first).Sub(first).Seconds(), e.ResponseBody)
		}
		fmt.Fprintf(&asked, "%s\t%s\t%s\t%d\t%s\t%d\t%d\t%s\t%s\t/%s\t%s\t%d\t%d\t%s\t%s\n", seconds(e.Sent.Or(e.Queued)), z.uid, z.client.Addr(), z.client.Port(), z.server.Addr(), z.server.Port(),
			e.Number, e.Method, host, path, cmp.Or(c.Agent, "-"), e.RequestBody, e.ResponseBody, status, fuid)
	}
	return out.String(), asked.String(), bodies.String()
}

func exchangesOf(t *testing.T, file string) *keep {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := pcap.Open([]pcap.Input{{Name: file, From: f}})
	if err != nil {
		t.Fatal(err)
	}
	k := &keep{connections: map[int64]trace.Connection{}}
	if _, err := packet.Read(in, packet.Options{}, k); err != nil {
		t.Fatal(err)
	}
	return k
}

// auditZeek audits logs.
func auditZeek(t *testing.T, logs ...string) ([]audit.Row, *audit.Result) {
	t.Helper()
	var inputs []zeek.Input
	for i, l := range logs {
		inputs = append(inputs, zeek.Input{Name: fmt.Sprint(i), From: strings.NewReader(l)})
	}
	in, err := zeek.Open(inputs)
	if err != nil {
		t.Fatal(err)
	}
	var rows []audit.Row
	a := audit.New(audit.Config{Each: func(r audit.Row) { rows = append(rows, r) }})
	sum, err := in.Read(a)
	if err != nil || sum.Wrong > 0 || len(sum.Problems) > 0 {
		t.Fatalf("%v, %+v", err, sum)
	}
	return rows, a.End(sum.Last)
}

// causesOf counts the causes of the connections of each client and server.
func causesOf(rows []audit.Row) map[string]map[audit.Cause]int {
	out := map[string]map[audit.Cause]int{}
	for _, r := range rows {
		pair := addressOf(r.Client) + ">" + addressOf(r.Server)
		if out[pair] == nil {
			out[pair] = map[audit.Cause]int{}
		}
		out[pair][r.Cause]++
	}
	return out
}

// addressOf is an address without its port.
func addressOf(s string) string {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().String()
	}
	return s
}

// TestZeekLogs holds what logs of Zeek come to against what the capture that they are of does. The
// logs are written here, as the documentation says, and not by Zeek. Connections, requests and reuse
// are the same, but for what is inferred of encrypted packets; a cause is the same, or unknown where the log does not hold what decides it.
func TestZeekLogs(t *testing.T) {
	same, unknown, wrong, asked := 0, 0, 0, 0
	var other []string
	for _, s := range performAll(t, "") {
		if s.err != nil || s.keyed || s.late >= tooLate {
			continue
		}
		file := s.captures[middle]
		capture, want, err := auditOf(file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if want.Streams.Connections > 0 {
			continue // that a response had no end no log says
		}
		conns, requests, files := zeekLogs(t, file)
		rows, got := auditZeek(t, conns, requests, files)
		if slices.ContainsFunc(capture, func(r audit.Row) bool { return !r.Turns.IsZero() }) {
			// Requests of what is encrypted are inferred from packets; logs of Zeek have none.
			want.Exchanges, want.Reuse = got.Exchanges, got.Reuse
		}
		if got.Connections != want.Connections || got.Opened != want.Opened || got.Exchanges != want.Exchanges || fmt.Sprint(got.Reuse) != fmt.Sprint(want.Reuse) {
			t.Errorf("%s: %d connections, %d opened, %d requests, reuse %v; of the capture %d, %d, %d, %v",
				s.name, got.Connections, got.Opened, got.Exchanges, got.Reuse, want.Connections, want.Opened, want.Exchanges, want.Reuse)
		}
		byPair := causesOf(rows)
		for pair, want := range causesOf(capture) {
			got := byPair[pair]
			for cause, n := range want {
				asked += n
				same += min(n, got[cause])
			}
			unknown += max(0, got[audit.Undecided]-want[audit.Undecided])
			for cause, n := range got {
				if more := n - want[cause]; more > 0 && cause != audit.Undecided {
					wrong += more
					other = append(other, fmt.Sprintf("%s: %v, and of the capture %v", s.name, got, want))
				}
			}
		}
	}
	t.Logf("of %d connections %d have the cause of the capture, %d are unknown, %d have another", asked, same, unknown, wrong)
	for _, text := range other {
		t.Log(text)
	}
	if asked == 0 || wrong > asked/40 {
		t.Errorf("%d of %d causes are others than of the capture", wrong, asked)
	}
}
