package main

import (
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	admregv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	asv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discv1 "k8s.io/api/discovery/v1"
	flowv1 "k8s.io/api/flowcontrol/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	schedv1 "k8s.io/api/scheduling/v1"
	coordv1 "k8s.io/api/coordination/v1"
	certv1 "k8s.io/api/certificates/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admreg "k8s.io/kubernetes/pkg/apis/admissionregistration"
	"k8s.io/kubernetes/pkg/apis/apps"
	as "k8s.io/kubernetes/pkg/apis/autoscaling"
	"k8s.io/kubernetes/pkg/apis/batch"
	cert "k8s.io/kubernetes/pkg/apis/certificates"
	coord "k8s.io/kubernetes/pkg/apis/coordination"
	"k8s.io/kubernetes/pkg/apis/core"
	disc "k8s.io/kubernetes/pkg/apis/discovery"
	flow "k8s.io/kubernetes/pkg/apis/flowcontrol"
	net "k8s.io/kubernetes/pkg/apis/networking"
	node "k8s.io/kubernetes/pkg/apis/node"
	"k8s.io/kubernetes/pkg/apis/policy"
	"k8s.io/kubernetes/pkg/apis/rbac"
	sched "k8s.io/kubernetes/pkg/apis/scheduling"
	"k8s.io/kubernetes/pkg/apis/storage"
)

var done = map[string]bool{}
var out []string

func name(t reflect.Type) string { return t.String() }

func expr(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + expr(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 { return "bytes" }
		return "[]" + expr(t.Elem())
	case reflect.Map:
		s := "{" + name(t) + "}" + expr(t.Elem())
		return s
	case reflect.Struct:
		return name(t)
	case reflect.Interface:
		return "any"
	default:
		if t.Name() != t.Kind().String() { return name(t) + "=" + t.Kind().String() }
		return t.Kind().String()
	}
}

func jsonFields(t reflect.Type, m map[string]string, omit map[string]bool) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("json"), ",")
		if f.Anonymous && (tag[0] == "") {
			ft := f.Type
			if ft.Kind() == reflect.Pointer { ft = ft.Elem() }
			if ft.Kind() == reflect.Struct { jsonFields(ft, m, omit) }
			continue
		}
		m[strings.ToLower(f.Name)] = tag[0]
	}
}

func walk(t, ext reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		var e reflect.Type
		if ext != nil && (ext.Kind() == t.Kind()) { e = ext.Elem() } else if ext != nil && ext.Kind() == reflect.Pointer && ext.Elem().Kind() == t.Kind() { e = ext.Elem().Elem() }
		walk(t.Elem(), e)
		return
	case reflect.Struct:
	default:
		return
	}
	if ext != nil && ext.Kind() == reflect.Pointer { ext = ext.Elem() }
	if ext != nil && ext.Kind() != reflect.Struct { ext = nil }
	n := name(t)
	if done[n] { return }
	done[n] = true
	switch n {
	case "v1.Time", "v1.MicroTime", "resource.Quantity", "intstr.IntOrString", "runtime.RawExtension", "time.Time", "v1.ManagedFieldsEntry": 
		if n != "v1.ManagedFieldsEntry" { return }
	}
	names := map[string]string{}
	if ext != nil { jsonFields(ext, names, nil) }
	var b strings.Builder
	fmt.Fprintf(&b, "type %s", n)
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		if !f.IsExported() { continue }
		j := names[strings.ToLower(f.Name)]
		if tag := strings.Split(f.Tag.Get("json"), ",")[0]; tag != "" && tag != "-" { j = tag }
		if f.Anonymous && j == "" { j = "-" }
		if j == "" { j = strings.ToLower(f.Name[:1]) + f.Name[1:]; fmt.Fprintln(os.Stderr, "guess", n, f.Name, j) }
		fmt.Fprintf(&b, "\n %s %s %s", f.Name, j, expr(f.Type))
		var fe reflect.Type
		if ext != nil {
			if j == "-" { fe = ext; if xf, ok := ext.FieldByName(f.Name); ok { fe = xf.Type } } else {
			for _, xf := range reflect.VisibleFields(ext) { if strings.EqualFold(xf.Name, f.Name) { fe = xf.Type; break } } }
		}
		walk(f.Type, fe)
	}
	out = append(out, b.String())
}

func w[I, E any]() { walk(reflect.TypeFor[I](), reflect.TypeFor[E]()) }

func main() {
	w[metav1.LabelSelector, metav1.LabelSelector]()
	w[metav1.OwnerReference, metav1.OwnerReference]()
	w[core.PodSpec, corev1.PodSpec]()
	w[core.PodTemplateSpec, corev1.PodTemplateSpec]()
	w[core.PodStatus, corev1.PodStatus]()
	w[core.ServiceSpec, corev1.ServiceSpec]()
	w[core.PersistentVolumeSpec, corev1.PersistentVolumeSpec]()
	w[core.PersistentVolumeClaimSpec, corev1.PersistentVolumeClaimSpec]()
	w[core.NodeSpec, corev1.NodeSpec]()
	w[core.EndpointSubset, corev1.EndpointSubset]()
	w[core.ResourceQuotaSpec, corev1.ResourceQuotaSpec]()
	w[core.LimitRangeSpec, corev1.LimitRangeSpec]()
	w[core.Taint, corev1.Taint]()
	w[apps.DeploymentSpec, appsv1.DeploymentSpec]()
	w[apps.StatefulSetSpec, appsv1.StatefulSetSpec]()
	w[apps.DaemonSetSpec, appsv1.DaemonSetSpec]()
	w[batch.JobSpec, batchv1.JobSpec]()
	w[batch.CronJobSpec, batchv1.CronJobSpec]()
	w[batch.UncountedTerminatedPods, batchv1.UncountedTerminatedPods]()
	w[net.IngressSpec, netv1.IngressSpec]()
	w[net.NetworkPolicySpec, netv1.NetworkPolicySpec]()
	w[net.IngressClassSpec, netv1.IngressClassSpec]()
	w[policy.PodDisruptionBudgetSpec, policyv1.PodDisruptionBudgetSpec]()
	w[as.HorizontalPodAutoscalerSpec, asv2.HorizontalPodAutoscalerSpec]()
	w[rbac.RoleRef, rbacv1.RoleRef]()
	w[rbac.PolicyRule, rbacv1.PolicyRule]()
	w[rbac.Subject, rbacv1.Subject]()
	w[storage.StorageClass, storagev1.StorageClass]()
	w[storage.CSIDriverSpec, storagev1.CSIDriverSpec]()
	w[storage.CSINodeSpec, storagev1.CSINodeSpec]()
	w[storage.VolumeAttachmentSpec, storagev1.VolumeAttachmentSpec]()
	w[flow.FlowSchemaSpec, flowv1.FlowSchemaSpec]()
	w[flow.PriorityLevelConfigurationSpec, flowv1.PriorityLevelConfigurationSpec]()
	w[disc.Endpoint, discv1.Endpoint]()
	w[disc.EndpointPort, discv1.EndpointPort]()
	w[sched.PriorityClass, schedv1.PriorityClass]()
	w[coord.LeaseSpec, coordv1.LeaseSpec]()
	w[cert.CertificateSigningRequestSpec, certv1.CertificateSigningRequestSpec]()
	w[node.RuntimeClass, nodev1.RuntimeClass]()
	w[admreg.ValidatingWebhook, admregv1.ValidatingWebhook]()
	w[admreg.MutatingWebhook, admregv1.MutatingWebhook]()
	w[admreg.ValidatingAdmissionPolicySpec, admregv1.ValidatingAdmissionPolicySpec]()
	w[admreg.ValidatingAdmissionPolicyBindingSpec, admregv1.ValidatingAdmissionPolicyBindingSpec]()
	sort.Strings(out)
	fmt.Println(strings.Join(out, "\n"))
}
