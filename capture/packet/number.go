package packet

import "linger/flow"

// maxGone is how many flows are remembered that the table has let go of.
const maxGone = 1 << 15

// numbers are Wireshark's of the flows of TCP, or of UDP: each is the next one from 0, but
// Wireshark forgets none. What the table begins anew is for Wireshark the same flow as
// before, unless it is a SYN, so that it is ahead of the table's numbers by one less.
type numbers struct {
	gone   map[flow.Key]int64 // the numbers of those let go of last
	order  []flow.Key         // a ring of them
	next   int                // in order
	behind int64              // how many numbers the table has used more
	forgot bool               // some were let go of and are not remembered
	lost   bool               // numbers are not known any more
}

// begin returns the number of a flow that begins, by the table's count. fresh says that for
// Wireshark, too, it is another one than before.
func (n *numbers) begin(key flow.Key, count int64, fresh bool) (number int64, known bool) {
	before, again := n.gone[key]
	delete(n.gone, key)
	switch {
	case fresh:
	case again:
		n.behind++
		return before, before >= 0
	case n.forgot:
		n.lost = true
	}
	return count - n.behind, !n.lost
}

// end remembers a flow that the table lets go of while it may go on. A number below 0 is
// not known.
func (n *numbers) end(key flow.Key, number int64) {
	if n.gone == nil {
		n.gone = map[flow.Key]int64{}
	}
	if len(n.order) < maxGone {
		n.order = append(n.order, key)
	} else {
		if _, ok := n.gone[n.order[n.next]]; ok {
			n.forgot = true
			delete(n.gone, n.order[n.next])
		}
		n.order[n.next] = key
		n.next = (n.next + 1) % maxGone
	}
	n.gone[key] = number
}
