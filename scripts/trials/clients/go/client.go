// Drives a robot, streams its camera and reads its events over gRPC. See ../README.md.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	vector "vector/messaging"
)

const (
	count    = 5
	driveFor = time.Second
)

// token proves who asks: it goes with every call.
type token string

func (guid token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(guid)}, nil
}

func (token) RequireTransportSecurity() bool { return true }

func connect(guid string) vector.ExternalInterfaceClient {
	tls, err := credentials.NewClientTLSFromFile(os.Getenv("VECTOR_CERT"), os.Getenv("VECTOR_NAME"))
	check(err)
	connection, err := grpc.Dial(os.Getenv("VECTOR_ADDRESS"),
		grpc.WithTransportCredentials(tls), grpc.WithPerRPCCredentials(token(guid)))
	check(err)
	return vector.NewExternalInterfaceClient(connection)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func countEvents(robot vector.ExternalInterfaceClient) (found int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := robot.EventStream(ctx, &vector.EventRequest{})
	check(err)
	for found < count {
		message, err := stream.Recv()
		check(err)
		if message.GetEvent().GetRobotState() != nil {
			found++
		}
	}
	return found
}

func countFrames(robot vector.ExternalInterfaceClient) (found int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := robot.CameraFeed(ctx, &vector.CameraFeedRequest{})
	check(err)
	for found < count {
		frame, err := stream.Recv()
		check(err)
		if frame.Data[0] == 0xff && frame.Data[1] == 0xd8 {
			found++
		}
	}
	return found
}

// drive takes control, drives ahead and stops; whether control was granted.
func drive(robot vector.ExternalInterfaceClient) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	control, err := robot.BehaviorControl(ctx)
	check(err)
	request := &vector.ControlRequest{Priority: vector.ControlRequest_DEFAULT}
	check(control.Send(&vector.BehaviorControlRequest{
		RequestType: &vector.BehaviorControlRequest_ControlRequest{ControlRequest: request}}))
	for {
		answer, err := control.Recv()
		check(err)
		if answer.GetControlGrantedResponse() != nil {
			break
		}
	}
	_, err = robot.DriveWheels(ctx, &vector.DriveWheelsRequest{LeftWheelMmps: 50, RightWheelMmps: 50})
	check(err)
	time.Sleep(driveFor)
	_, err = robot.DriveWheels(ctx, &vector.DriveWheelsRequest{})
	check(err)
	time.Sleep(300 * time.Millisecond) // until the wheels stand
	return true
}

func main() {
	robot := connect(os.Getenv("VECTOR_GUID"))
	battery, err := robot.BatteryState(context.Background(), &vector.BatteryStateRequest{})
	check(err)
	report := map[string]interface{}{
		"battery_volts": battery.BatteryVolts,
		"events":        countEvents(robot),
		"frames":        countFrames(robot),
		"granted":       drive(robot),
	}
	_, err = connect("wrong").BatteryState(context.Background(), &vector.BatteryStateRequest{})
	report["refused"] = status.Code(err).String()
	check(json.NewEncoder(os.Stdout).Encode(report))
}
