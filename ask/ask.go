// Package ask is what clients say to a server, and what makes an answer of DNS one: heads of
// requests as text ([AppendHTTP1]) and as fields ([Fields]), what the user has them say besides
// ([Message]), and questions of DNS with the judgement of their answers ([Query]). It makes and
// reads bytes; whoever sends and receives them has the sockets.
package ask
