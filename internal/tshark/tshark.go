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
	fields := []string{"tcp.stream", "tcp.flags.syn", "tcp.len", "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.keep_alive", "http.request.method", "http.response.code"}
	args := []string{"-n", "-r", file, "-Y", "tcp and not icmp and not icmpv6", "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(ctx, "tshark", append(args, more...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("tshark: %v: %s", err, stderr.String())
	}
	out := map[int64]Counts{}
	for line := range strings.Lines(string(text)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		stream, err := strconv.ParseInt(v[0], 10, 64)
		if err != nil || len(v) != len(fields) {
			return nil, fmt.Errorf("tshark prints %q", line)
		}
		c := out[stream]
		if v[1] == "1" || v[1] == "True" {
			c.SYN++
		}
		if v[3]+v[4] != "" || v[5] != "" && v[2] != "0" {
			c.Retransmitted++
		}
		if v[6] != "" {
			c.Requests += int64(1 + strings.Count(v[6], ","))
		}
		if v[7] != "" {
			for code := range strings.SplitSeq(v[7], ",") {
				if code[0] != '1' || code == "101" {
					c.Responses++ // interim ones are no answers
				}
			}
		}
		out[stream] = c
	}
	return out, nil
}

// Of counts the same of records. What is within a tunnel, and what is not TCP, is left out.
func Of(connections []trace.Connection, exchanges []trace.Exchange) (map[int64]Counts, error) {
	out, streams := map[int64]Counts{}, map[int64]int64{}
	for _, c := range connections {
		up, down := c.Up.Or(trace.Flow{}), c.Down.Or(trace.Flow{})
		if !c.Within.IsZero() || up.SYN+down.SYN == 0 && c.Protocol == "quic" || c.Protocol == "udp" {
			continue
		}
		n, ok := c.Stream.Get()
		if !ok {
			return nil, fmt.Errorf("connection %d has no number of Wireshark's", c.ID)
		}
		streams[c.ID] = n
		out[n] = Counts{SYN: up.SYN + down.SYN, Retransmitted: up.Retransmitted + down.Retransmitted}
	}
	for _, x := range exchanges {
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
