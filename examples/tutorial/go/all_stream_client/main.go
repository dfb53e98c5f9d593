package main

import (
	"context"
	"fmt"
	log "github.com/sirupsen/logrus"
	"google.golang.org/grpc"
	pro "i-go/grpc/proto"
	"i-go/settings"
	"time"
)

const AllStreamAddress = "localhost:50055"

func main() {
	conn, err := grpc.Dial(settings.Address(AllStreamAddress), grpc.WithInsecure())
	if err != nil {
		log.Error(err.Error())
		return
	}
	defer conn.Close()

	// 通过conn new 一个 client
	client := pro.NewAllStreamServerClient(conn)
	ok := make(chan bool, 2)

	allStr, _ := client.AllStream(context.Background())
	go func() {
		for {
			data, _ := allStr.Recv()
			fmt.Println(data)
		}
		ok <- true
	}()

	go func() {
		for {
			err := allStr.Send(&pro.AllStreamReq{Data: "All Stream From Client"})
			if err != nil {
				log.Error(err.Error())
			}
			time.Sleep(settings.Interval(time.Second))
		}
		ok <- true
	}()

	// 让主线程卡在这里
	for i := 0; i < 2; i++ {
		<-ok
	}

}
