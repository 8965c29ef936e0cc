package flow_test

import (
	"encoding/hex"
	"fmt"
	"time"

	"linger"
	"linger/flow"
)

// Packets become connections, which the table hands over when they have ended.
func ExampleTable() {
	table := flow.NewTable(flow.Config{Ended: func(f *flow.Flow, o flow.Outcome) {
		client, _ := f.Opener.Get()
		up, down := f.Sent(client), f.Sent(client.Other())
		fmt.Println(f.Address(client), "to", f.Address(client.Other()), "closed:", o == flow.Closed)
		fmt.Println(up.Packets, "packets up,", down.Packets, "down")
	}})
	const there, back = "4500002800004000400600000a0900010a090002" + "04d20050", "4500002800004000400600000a0900020a090001" + "005004d2"
	for i, text := range []string{
		there + "00000001" + "00000000" + "5002fffe00000000", // SYN
		back + "00000065" + "00000002" + "5012fffe00000000",  // SYN and ACK
		there + "00000002" + "00000066" + "5010fffe00000000", // ACK
		there + "00000002" + "00000066" + "5011fffe00000000", // FIN
		back + "00000066" + "00000003" + "5011fffe00000000",  // FIN
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		var p flow.Packet
		if err := p.Parse(b, len(b)); err != nil {
			fmt.Println(err)
			return
		}
		table.Add(&p, linger.Instant(0).Add(time.Duration(i)*time.Millisecond))
	}
	table.Flush()
	// Output:
	// 10.9.0.1:1234 to 10.9.0.2:80 closed: true
	// 3 packets up, 2 down
}
