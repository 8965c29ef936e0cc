package tcp

import "linger"

const (
	// sendSpace is what the kernel lets a socket hold for each segment of its congestion
	// window: two, and a segment counts 2304 bytes: data, headers and skb_shared_info,
	// rounded up to a power of two, and an sk_buff (tcp_sndbuf_expand).
	sendSpace = 2 * 2304
	// skbBytes are those that each super-packet counts beside its data, as SO_MEMINFO
	// tells.
	skbBytes = 832
	// gsoBytes are the most that a super-packet holds (sk_gso_max_size).
	gsoBytes = 65536 - 321
)

// A sendBuffer is what the kernel holds of what was written.
type sendBuffer struct {
	size  int64 // how much it may hold (sk_sndbuf)
	sent  int   // super-packets that are sent and not acknowledged
	tail  int64 // bytes in the last super-packet that is not sent
	short bool  // somebody waits for room (SOCK_NOSPACE)
}

// sizeGoal is how many bytes a super-packet is filled to: half of the peer's window,
// in whole segments (tcp_xmit_size_goal, tcp_bound_to_half_wnd).
func (c *Conn) sizeGoal() int64 { return max(1, min(gsoBytes, c.maxWindow/2)/MSS) * MSS }

// queued is how much of the buffer is taken (sk_wmem_queued).
func (c *Conn) queued() int64 {
	packets, unsent := int64(c.buffer.sent), c.Unsent()
	if unsent > 0 {
		tail, goal := min(c.buffer.tail, unsent), c.sizeGoal()
		packets += 1 + (unsent-tail+goal-1)/goal
	}
	return c.Unacknowledged() + packets*skbBytes
}

// Take hands over up to n more bytes to be sent, as many as the kernel has room for
// (tcp_sendmsg_locked): the last super-packet is filled; one that is full is sent as far
// as the window goes, piece by piece, and filled up again; another is begun where the
// buffer is not full. It returns how many bytes were taken.
func (c *Conn) Take(now linger.Instant, n int64) int64 {
	if c.options.Ideal {
		c.Write(now, n)
		return n
	}
	if n == 0 || c.finished || c.failed {
		return 0
	}
	c.restartAfterIdle(now)
	b := &c.buffer
	taken := int64(0)
	for taken < n {
		goal := c.sizeGoal()
		room := int64(0)
		if b.tail = min(b.tail, c.Unsent()); b.tail > 0 {
			room = goal - b.tail
		}
		if room <= 0 {
			if c.queued() >= b.size {
				b.short = true
				break
			}
			room, b.tail = goal, 0
		}
		k := min(room, n-taken)
		b.tail += k
		taken += k
		c.written += k
		if b.tail >= goal && c.Unsent() == b.tail {
			c.send(now, true)
		}
	}
	c.transmit(now)
	return taken
}

// Writable reports whether who waits for room is woken: once a third of what the buffer
// holds is free (sk_stream_is_writeable).
func (c *Conn) Writable() bool {
	queued := c.queued()
	return c.buffer.size-queued >= queued/2
}

// checkSpace is tcp_check_space: a buffer that was full grows with the congestion window,
// where that is not full itself (tcp_should_expand_sndbuf). room is what was free of the
// window before this acknowledgement had anything sent. SO_MEMINFO shows that the kernel
// looks when no more than one super-packet of it has left: acknowledgements of two
// segments let the buffer grow while there is still something to send, those of one do not.
func (c *Conn) checkSpace(room int) {
	if !c.buffer.short {
		return
	}
	if c.inFlight() < c.cwnd || room > c.burst() {
		c.buffer.size = max(c.buffer.size, sendSpace*int64(max(InitialWindow, c.cwnd)))
	}
	if c.Writable() {
		c.buffer.short = false
	}
}
