// Package tshark lets tests hold records of captures against what tshark counts in them.
package tshark

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"linger/trace"
)

// A Row is what tshark says of one packet: the fields that it was asked for, "" where the
// packet has none.
type Row map[string]string

// Number is a field that is a number, 0 where there is none.
func (r Row) Number(field string) int64 {
	n, _ := strconv.ParseInt(r[field], 10, 64)
	return n
}

// Is is 1 where a field that is a flag is set.
func (r Row) Is(field string) int64 {
	if r[field] == "1" || r[field] == "True" {
		return 1
	}
	return 0
}

// Read has tshark say those fields of each packet of a capture file, with further arguments.
func Read(ctx context.Context, file string, args []string, fields ...string) ([]Row, error) {
	args = append([]string{"-r", file, "-T", "fields", "-E", "separator=|"}, args...)
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(ctx, "tshark", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("tshark: %w: %s", err, stderr.String())
	}
	var rows []Row
	for line := range strings.Lines(string(text)) {
		values := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		if len(values) != len(fields) {
			return nil, fmt.Errorf("tshark prints %q", line)
		}
		row := make(Row, len(fields))
		for i, f := range fields {
			row[f] = values[i]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Records keeps what is read of a capture; it is a sink for whatever reads one.
type Records struct {
	Connections []trace.Connection
	Exchanges   []trace.Exchange
}

// WriteConnection keeps a connection.
func (r *Records) WriteConnection(c *trace.Connection) error {
	r.Connections = append(r.Connections, *c)
	return nil
}

// WriteExchange keeps an exchange.
func (r *Records) WriteExchange(x *trace.Exchange) error {
	r.Exchanges = append(r.Exchanges, *x)
	return nil
}

// Counts are what both can say of a connection of TCP: segments with SYN and retransmitted
// ones of both directions, and of HTTP/1 requests and final responses.
type Counts struct{ SYN, Retransmitted, Requests, Responses int64 }

// Less returns c without others.
func (c Counts) Less(others Counts) Counts {
	return Counts{c.SYN - others.SYN, c.Retransmitted - others.Retransmitted, c.Requests - others.Requests, c.Responses - others.Responses}
}

// Count counts the connections of a capture file, by tcp.stream. What tshark takes for out of
// order, or for a keep-alive probe with an octet, is a retransmission here. More are further
// arguments of tshark.
func Count(ctx context.Context, file string, more ...string) (map[int64]Counts, error) {
	rows, err := Read(ctx, file, append([]string{"-n", "-Y", "tcp and not icmp and not icmpv6"}, more...),
		"tcp.stream", "tcp.flags.syn", "tcp.len", "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.keep_alive",
		"http.request.method", "http.response.code")
	if err != nil {
		return nil, err
	}
	out := map[int64]Counts{}
	for _, row := range rows {
		stream := row.Number("tcp.stream")
		c := out[stream]
		c.SYN += row.Is("tcp.flags.syn")
		again := row["tcp.analysis.retransmission"] + row["tcp.analysis.out_of_order"]
		if again != "" || row["tcp.analysis.keep_alive"] != "" && row.Number("tcp.len") > 0 {
			c.Retransmitted++
		}
		if method := row["http.request.method"]; method != "" {
			c.Requests += int64(1 + strings.Count(method, ","))
		}
		if codes := row["http.response.code"]; codes != "" {
			for code := range strings.SplitSeq(codes, ",") {
				if code[0] != '1' || code == "101" {
					c.Responses++ // interim ones are no answers
				}
			}
		}
		out[stream] = c
	}
	return out, nil
}

// Of counts the same in records. What is within a tunnel, and what is not TCP, is left out.
func Of(r Records) (map[int64]Counts, error) {
	out, streams := map[int64]Counts{}, map[int64]int64{}
	for _, c := range r.Connections {
		up, down := c.Up.Or(trace.Flow{}), c.Down.Or(trace.Flow{})
		if !c.Within.IsZero() || up.SYN+down.SYN == 0 && c.Protocol.OverQUIC() || c.Protocol.Datagram() {
			continue
		}
		n, ok := c.Stream.Get()
		if !ok {
			return nil, fmt.Errorf("connection %d has no number of Wireshark's", c.ID)
		}
		streams[c.ID] = n
		out[n] = Counts{SYN: up.SYN + down.SYN, Retransmitted: up.Retransmitted + down.Retransmitted}
	}
	for _, x := range r.Exchanges {
		n, ok := streams[x.Connection]
		if !ok {
			continue
		}
		c := out[n]
		if x.Method != "" {
			c.Requests++
		}
		if x.Status != 0 {
			c.Responses++
		}
		out[n] = c
	}
	return out, nil
}
